import ipaddr from 'ipaddr.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Resolver } from '../../../core/download/host-addresses.ts';
import { createBatchRig } from '../../helpers/batch-rig.ts';
import { watchClientSockets } from '../../helpers/client-sockets.ts';
import { createDownloadRig, jobFor } from '../../helpers/download.ts';
import { file } from '../../helpers/origin-answers.ts';
import { startOrigin } from '../../helpers/origin.ts';

/**
 * https://www.iana.org/assignments/iana-ipv4-special-registry as last updated on 2025-10-09, every row in its order; and
 * multicast, what AWS has at link-local addresses, and loopback's own.
 */
const SPECIAL_IPV4 = [
  ['0.0.0.0/8', '0.0.0.0/32', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12'],
  ['192.0.0.0/24', '192.0.0.0/29', '192.0.0.8/32', '192.0.0.9/32', '192.0.0.10/32', '192.0.0.170/32', '192.0.0.171/32'],
  ['192.0.2.0/24', '192.31.196.0/24', '192.52.193.0/24', '192.88.99.0/24', '192.88.99.2/32', '192.168.0.0/16'],
  ['192.175.48.0/24', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '240.0.0.0/4', '255.255.255.255/32'],
  ['224.0.0.0/4', '169.254.100.1/32', '169.254.169.254/32', '127.0.0.1/32'],
].flat();

/**
 * https://www.iana.org/assignments/iana-ipv6-special-registry as last updated on 2025-10-09, every row in its order but
 * the IPv4-mapped ones, each of which is the IPv4 address that it holds (below, as notations of it); and multicast, forms
 * that held IPv4 addresses or sites' own, and what AWS has among the unique local ones.
 */
const SPECIAL_IPV6 = [
  ['::1/128', '::/128', '64:ff9b::/96', '64:ff9b:1::/48', '100::/64', '100:0:0:1::/64', '2001::/23', '2001::/32'],
  ['2001:1::1/128', '2001:1::2/128', '2001:1::3/128', '2001:2::/48', '2001:3::/32', '2001:4:112::/48', '2001:10::/28'],
  ['2001:20::/28', '2001:30::/28', '2001:db8::/32', '2002::/16', '2620:4f:8000::/48', '3fff::/20', '5f00::/16'],
  ['fc00::/7', 'fe80::/10', 'ff00::/8', 'fec0::/10', '::/96', '::ffff:0:0:0/96', 'fd00:ec2::254/128'],
].flat();

/** A network's own bits and any others behind them. */
function addressIn(cidr: string): fc.Arbitrary<number[]> {
  const [network, bits] = ipaddr.parseCIDR(cidr);
  const fixed = network.toByteArray();
  return fc.uint8Array({ minLength: fixed.length, maxLength: fixed.length }).map((random) =>
    fixed.map((byte, i) => {
      const free = 0xff >> Math.min(8, Math.max(0, bits - i * 8));
      return (byte & ~free & 0xff) | ((random[i] ?? 0) & free);
    }),
  );
}

const ipv4 = fc.constantFrom(...SPECIAL_IPV4).chain(addressIn);
const ipv6 = fc.constantFrom(...SPECIAL_IPV6).chain(addressIn);

const hex = (n: number) => n.toString(16);
const word = (bytes: number[], at: number) => (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
const whole = (bytes: number[]) => word(bytes, 0) * 65_536 + word(bytes, 2);
const words = (bytes: number[]) => Array.from({ length: bytes.length / 2 }, (_, i) => word(bytes, 2 * i));
const dotted = (bytes: number[]) => bytes.join('.');
const octal = (n: number) => `0${n.toString(8)}`;

/** All ways in which a URL can name an IPv4 address. */
const NOTATIONS_IPV4: ((bytes: number[]) => string)[] = [
  dotted,
  (bytes) => `${dotted(bytes)}.`,
  (bytes) => String(whole(bytes)),
  (bytes) => `${whole(bytes)}.`,
  (bytes) => `0x${hex(whole(bytes))}`,
  (bytes) => `0X${hex(whole(bytes)).toUpperCase()}`,
  (bytes) => octal(whole(bytes)),
  (bytes) => bytes.map(octal).join('.'),
  (bytes) => bytes.map((n) => `0x${hex(n)}`).join('.'),
  (bytes) => bytes.map((n) => `0x0000${hex(n)}`).join('.'),
  ([a = 0, ...rest]) => `${a}.${(rest[0] ?? 0) * 65_536 + word(rest, 1)}`,
  ([a = 0, b = 0, ...rest]) => `${octal(a)}.0x${hex(b)}.${word(rest, 0)}`,
  (bytes) => dotted(bytes).replace(/\d/g, (digit) => String.fromCodePoint(0xff10 + Number(digit))),
  (bytes) => dotted(bytes).replaceAll('.', '。'),
  (bytes) => dotted(bytes).replace(/\d/g, (digit) => `%3${digit}`),
  (bytes) => `[::ffff:${dotted(bytes)}]`,
  (bytes) => `[::FFFF:${hex(word(bytes, 0))}:${hex(word(bytes, 2))}]`,
  (bytes) => `[0:0:0:0:0:ffff:${hex(word(bytes, 0))}:${hex(word(bytes, 2))}]`,
  (bytes) => `[::${dotted(bytes)}]`,
  (bytes) => `[::ffff:0:${dotted(bytes)}]`,
  (bytes) => `[64:ff9b::${dotted(bytes)}]`,
  (bytes) => `[64:ff9b:1::${dotted(bytes)}]`,
  (bytes) => `[2002:${hex(word(bytes, 0))}:${hex(word(bytes, 2))}::1]`,
  (bytes) => `[2001:0:${hex(word(bytes, 0))}:${hex(word(bytes, 2))}::1]`,
];
const NOTATIONS_IPV6: ((bytes: number[]) => string)[] = [
  (bytes) => `[${words(bytes).map(hex).join(':')}]`,
  (bytes) =>
    `[${words(bytes)
      .map((n) => hex(n).padStart(4, '0'))
      .join(':')
      .toUpperCase()}]`,
  (bytes) => `[${ipaddr.fromByteArray(bytes).toString()}]`,
  (bytes) => `[${words(bytes).slice(0, 6).map(hex).join(':')}:${dotted(bytes.slice(12))}]`,
  (bytes) => `[${ipaddr.fromByteArray(bytes).toString()}%25eth0]`,
];
const literal = fc.oneof(
  fc.tuple(ipv4, fc.constantFrom(...NOTATIONS_IPV4)).map(([bytes, notation]) => notation(bytes)),
  fc.tuple(ipv6, fc.constantFrom(...NOTATIONS_IPV6)).map(([bytes, notation]) => notation(bytes)),
);

const PUBLIC = ['93.184.215.14', '2606:4700:4700::1111'];
/** What a resolver may answer: addresses as text, a special one among public ones. */
const answer = fc
  .tuple(
    fc.oneof(
      ipv4.map(dotted),
      ipv4.map((bytes) => `::ffff:${dotted(bytes)}`),
      fc.ipV4().map((any) => `::${any}`),
      fc.ipV4().map((any) => `64:ff9b::${any}`),
      ipv6.map((bytes) => ipaddr.fromByteArray(bytes).toString()),
      ipv6.map((bytes) => `${ipaddr.fromByteArray(bytes).toString()}%eth0`),
    ),
    fc.subarray(PUBLIC),
    fc.boolean(),
  )
  .map(([special, others, first]) => (first ? [special, ...others] : [...others, special]));

/** Listeners on loopback at one port, which count. */
async function startListeners() {
  const v4 = await startOrigin({ '*': file('internal') });
  const v6 = await startOrigin({ '*': file('internal') }, { hostname: '::1', port: v4.port });
  const sockets = watchClientSockets();
  return { port: v4.port, opened: () => sockets.length + v4.connections + v6.connections };
}

describe('an address of any special range is never connected to', () => {
  test('as a literal, in any notation that a URL can have', async () => {
    const { port, opened } = await startListeners();
    const rig = createDownloadRig({ allowedNetworks: [] });
    await fc.assert(
      fc.asyncProperty(literal, async (host) => {
        const error: unknown = await rig.download(jobFor(`http://${host}:${port}/`)).catch((error: unknown) => error);
        const code = URL.canParse(`http://${host}:${port}/`) ? 'BLOCKED_ADDRESS' : 'INVALID_URL';
        expect(error, host).toMatchObject({ name: 'DownloadError', code });
      }),
      { numRuns: 3000 },
    );
    expect(opened()).toBe(0);
  });

  test('as what a name stands for, alone or among public ones', async () => {
    const { port, opened } = await startListeners();
    let addresses: string[] = [];
    const resolve: Resolver = () =>
      Promise.resolve(addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })));
    const rig = createDownloadRig({ allowedNetworks: [], resolve });
    let names = 0;
    await fc.assert(
      fc.asyncProperty(answer, async (answered) => {
        addresses = answered;
        const download = rig.download(jobFor(`http://${++names}.test:${port}/`));
        await expect(download, answered.join()).rejects.toMatchObject({ code: 'BLOCKED_ADDRESS' });
      }),
      { numRuns: 2000 },
    );
    expect(opened()).toBe(0);
  });

  test('by a batch, whose entries fail at once and are told why', async () => {
    const { port, opened } = await startListeners();
    const rig = await createBatchRig({ allowedNetworks: [] });
    const hosts = [...SPECIAL_IPV4, ...SPECIAL_IPV6].map((cidr) => cidr.replace(/\/\d+$/, ''));
    const urls = hosts.map((host, i) => `http://${host.includes(':') ? `[${host}]` : host}:${port}/${i}`);
    const { status, outcomes } = await rig.run(urls);
    expect(status).toMatchObject({ failed: urls.length, failures: { BLOCKED_ADDRESS: urls.length } });
    for (const { message, attempts } of outcomes) {
      expect(message).toMatch(/^the host is not at a public address \(.+\)$/);
      expect(attempts).toBe(1);
    }
    expect(opened()).toBe(0);
  });
});

describe('DNS rebinding', () => {
  test('the address that was checked is the one that is connected, however often the name changes', async () => {
    const allowed = await startOrigin({ '/a': file('public') });
    const inside = await startOrigin({ '/a': file('internal') }, { hostname: '::1', port: allowed.port });
    let lookUps = 0;
    // Every other answer leads inside.
    const resolve: Resolver = () =>
      Promise.resolve([lookUps++ % 2 === 0 ? { address: '127.0.0.1', family: 4 } : { address: '::1', family: 6 }]);
    const rig = createDownloadRig({ allowedNetworks: ['127.0.0.1/32'], resolve });
    const ends = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const end = await rig
        .download(jobFor(allowed.url('/a', 'rebinding.test')))
        .catch((error: unknown) => (error as { code: string }).code);
      ends.add(`${i % 2} ${typeof end === 'string' ? end : end.state}`);
      await rig.clock.advance(61_000);
    }
    expect([...ends].sort()).toEqual(['0 done', '1 BLOCKED_ADDRESS']);
    expect(lookUps).toBe(20);
    expect(rig.store.objects.get('files/a')?.body.toString()).toBe('public');
    expect(inside.connections).toBe(0);
  });
});
