import { describe, expect, test } from 'vitest';
import { isAllowedAddress, parseNetworks } from '../../../core/download/address-guard.ts';

describe('addresses', () => {
  test.each([
    '1.1.1.1',
    '93.184.215.14',
    '172.15.255.255',
    '172.32.0.0',
    '223.255.255.254',
    '2606:4700:4700::1111',
    '2a00:1450:4001:82f::200e',
    '::ffff:1.1.1.1',
  ])('%s is public', (address) => {
    expect(isAllowedAddress(address, [])).toBe(true);
  });

  test.each([
    '0.0.0.0',
    '10.0.0.1',
    '100.64.0.1',
    '127.0.0.1',
    '169.254.100.1',
    '169.254.169.254',
    '172.16.0.1',
    '192.0.0.192',
    '192.0.2.1',
    '192.88.99.1',
    '192.168.0.1',
    '198.18.0.1',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::127.0.0.1',
    '::ffff:10.0.0.1',
    '::ffff:0:10.0.0.1',
    '64:ff9b::10.0.0.1',
    '64:ff9b:1::1',
    '100::1',
    '2001::1',
    '2001:db8::1',
    '2002:a00:1::1',
    '3fff::1',
    '4000::1',
    '5f00::1',
    'fc00::1',
    'fd00:ec2::254',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
    'ff02::1',
    '',
    'localhost',
    '1',
    '1.1',
    '0x7f.1',
    '1.1.1.1/8',
  ])('"%s" is not', (address) => {
    expect(isAllowedAddress(address, [])).toBe(false);
  });

  test('a network allows its own addresses, in whatever form they come, and no others', () => {
    const networks = parseNetworks(['10.1.0.0/16', 'fd00::/8']);
    for (const address of ['10.1.2.3', '::ffff:10.1.2.3', 'fd12::1']) {
      expect(isAllowedAddress(address, networks), address).toBe(true);
    }
    for (const address of ['10.2.0.1', 'fc00::1', '127.0.0.1', '64:ff9b::10.1.2.3']) {
      expect(isAllowedAddress(address, networks), address).toBe(false);
    }
  });

  test.each(['10.0.0.0', '10.0.0.0/33', 'example.com/8', ''])('"%s" is no network', (cidr) => {
    expect(() => parseNetworks([cidr])).toThrow();
  });
});
