import { describe, expect, test } from 'vitest';
import { addressProblem, parseNetworks } from '../../../core/download/address-guard.ts';

/** Addresses by the use that makes them no place to download from. */
const SPECIAL: Record<string, string[]> = {
  "Lambda's runtime API": ['169.254.100.1', '::ffff:169.254.100.1'],
  'a metadata service': ['169.254.169.254', '::ffff:a9fe:a9fe', '169.254.170.2', '169.254.170.23', 'fd00:ec2::254'],
  'this network': ['0.0.0.0', '0.1.2.3', '::'],
  loopback: ['127.0.0.1', '127.255.255.255', '::1', '::ffff:127.0.0.1'],
  'link-local': ['169.254.0.1', 'fe80::1', 'fe80::1%eth0', 'febf::1'],
  private: [
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.0.1',
    '::ffff:10.0.0.1',
    'fc00::1',
    'fdff::1',
    'fec0::1',
  ],
  'shared with a carrier': ['100.64.0.1', '100.127.255.255'],
  documentation: ['192.0.2.1', '198.51.100.1', '203.0.113.1', '2001:db8::1', '3fff::1', '3fff:fff::1'],
  benchmarking: ['198.18.0.1', '198.19.255.255', '2001:2::1'],
  AS112: ['192.31.196.1', '192.175.48.1', '2001:4:112::1', '2620:4f:8000::1'],
  AMT: ['192.52.193.1', '2001:3::1'],
  '6a44': ['192.88.99.2'],
  '6to4': ['192.88.99.1', '192.88.99.3', '2002:a00:1::1', '2002:101:101::1'],
  Teredo: ['2001::1', '2001:0:101:101::1'],
  ORCHID: ['2001:10::1', '2001:2f:ffff::1'],
  'drone identifiers': ['2001:30::1'],
  dummy: ['192.0.0.8', '100:0:0:1::1'],
  'protocol assignments': ['192.0.0.1', '192.0.0.9', '192.0.0.171', '192.0.0.192', '2001:1::1', '2001:1ff::1'],
  NAT64: ['64:ff9b::10.0.0.1', '64:ff9b::1.1.1.1', '64:ff9b:1::1'],
  'IPv4-compatible': ['::127.0.0.1', '::1.1.1.1', '::101:101'],
  'IPv4-translated': ['::ffff:0:10.0.0.1'],
  discard: ['100::1', '100::ffff:ffff:ffff:ffff'],
  'segment routing': ['5f00::1'],
  multicast: ['224.0.0.1', '239.255.255.255', 'ff02::1', 'ff0e::1'],
  broadcast: ['255.255.255.255'],
  reserved: ['240.0.0.1', '254.1.2.3'],
  'not given out': ['4000::1', '200::1', 'e000::1', '100:0:0:2::1'],
  'no address': ['', 'localhost', '1', '1.1', '0x7f.1', '1.1.1.1/8', '::g'],
};

describe('addresses', () => {
  test.each([
    '1.1.1.1',
    '93.184.215.14',
    '100.63.255.255',
    '100.128.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.0.1.0',
    '198.17.255.255',
    '198.20.0.0',
    '223.255.255.254',
    '2001:200::1',
    '2606:4700:4700::1111',
    '2a00:1450:4001:82f::200e',
    '3ffe:ffff::1',
    '::ffff:1.1.1.1',
  ])('%s is public', (address) => {
    expect(addressProblem(address, [])).toBeUndefined();
  });

  test.each(Object.entries(SPECIAL).flatMap(([use, addresses]) => addresses.map((address) => [address, use] as const)))(
    '"%s" is not: %s',
    (address, use) => {
      expect(addressProblem(address, [])).toMatchObject({
        code: 'BLOCKED_ADDRESS',
        message: `the host is not at a public address (${use})`,
      });
    },
  );

  test('a network allows its own addresses, in whatever form they come, and no others', () => {
    const networks = parseNetworks(['10.1.0.0/16', 'fd00::/8']);
    for (const address of ['10.1.2.3', '::ffff:10.1.2.3', 'fd12::1']) {
      expect(addressProblem(address, networks), address).toBeUndefined();
    }
    for (const address of ['10.2.0.1', 'fc00::1', '127.0.0.1', '64:ff9b::10.1.2.3']) {
      expect(addressProblem(address, networks), address).toBeDefined();
    }
  });

  test.each(['10.0.0.0', '10.0.0.0/33', 'example.com/8', ''])('"%s" is no network', (cidr) => {
    expect(() => parseNetworks([cidr])).toThrow();
  });
});
