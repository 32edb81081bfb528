import { describe, expect, test } from 'vitest';
import { hostIndexKey } from '../../../core/model/layout.ts';
import { encodeHostIndex, findHost } from '../../../core/plan/host-index.ts';

const name = (i: number) => `https://host-${i}.example`;

/** An index of `count` hosts in the part of a store that a reader uses, counting its reads. */
function indexOf(count: number) {
  const hosts = Array.from({ length: count }, (_, i) => ({ host: name(i), shard: (i * 7) % 1000 }));
  const body = encodeHostIndex(hosts, count);
  const index = {
    reads: 0,
    bytes: 0,
    get: (key: string, { from = 0, to = Infinity } = {}) => {
      expect(key).toBe(hostIndexKey('b'));
      const part = body.subarray(from, to);
      index.reads += 1;
      index.bytes += part.length;
      return Promise.resolve(part);
    },
    find: (host: string) => findHost(index, 'b', count, host),
  };
  return index;
}

/** About `wanted` numbers below `count`, evenly spread, the first and last among them. */
function sample(count: number, wanted: number): number[] {
  const step = Math.max(1, Math.floor(count / wanted));
  return [...Array.from({ length: Math.ceil(count / step) }, (_, i) => i * step), count - 1];
}

describe.each([1, 2, 3, 4095, 4096, 4097, 8192, 10_000, 65_537, 200_000])('an index of %i hosts', (count) => {
  test('names the shard of every host that was planned, and none of any other, by a read or two', async () => {
    const index = indexOf(count);
    const planned = sample(count, 100);
    for (const i of planned) {
      index.reads = 0;
      expect(await index.find(name(i))).toBe((i * 7) % 1000);
      expect(index.reads).toBeLessThanOrEqual(2);
    }
    for (let i = 0; i < 100; i++) {
      index.reads = 0;
      index.bytes = 0;
      expect(await index.find(`http://other-${i}.example:8080`)).toBeUndefined();
      expect(index.reads).toBeLessThanOrEqual(3);
      expect(index.bytes).toBeLessThanOrEqual(3 * 4096 * 12);
    }
  });
});

test('every one of six thousand hosts is found', async () => {
  const index = indexOf(6000);
  for (let i = 0; i < 6000; i++) expect(await index.find(name(i))).toBe((i * 7) % 1000);
});

test.each(['first', 'last'])('hosts whose hashes are the %s of many are found all the same', async (end) => {
  // A tenth of 60,000 hosts, so that a guess by the hash lands far off.
  const all = Array.from({ length: 60_000 }, (_, i) => ({ host: name(i), shard: i }));
  const whole = encodeHostIndex(all, all.length);
  const crowd = end === 'first' ? whole.subarray(0, 6000 * 12) : whole.subarray(-6000 * 12);
  const shards = Array.from({ length: 6000 }, (_, at) => crowd.readUInt32BE(at * 12 + 8));
  const store = { get: (_: string, { from = 0, to = 0 } = {}) => Promise.resolve(crowd.subarray(from, to)) };
  for (let at = 0; at < 6000; at += at > 1890 && at < 4110 ? 1 : 50) {
    const shard = shards[at] ?? -1;
    expect(await findHost(store, 'b', 6000, name(shard))).toBe(shard);
  }
  const inside = new Set(shards);
  for (const { host, shard } of all.slice(0, 100)) {
    if (!inside.has(shard)) expect(await findHost(store, 'b', 6000, host)).toBeUndefined();
  }
});

test('an index that is missing or cut off is an error', async () => {
  const missing = { get: () => Promise.resolve(undefined) };
  await expect(findHost(missing, 'b', 3, name(1))).rejects.toThrow('not whole');
  const cut = { get: () => Promise.resolve(Buffer.alloc(20)) };
  await expect(findHost(cut, 'b', 3, name(1))).rejects.toThrow('not whole');
});
