import { hash } from 'node:crypto';
import { hostIndexKey } from '../model/layout.ts';
import type { ObjectStore } from '../ports/object-store.ts';

/**
 * Tells which shard works a host: sorted records of 8 bytes of SHA-256(host) and the shard's number, four bytes, big
 * endian. A host with several shards is under its first. Hashes spread evenly, so that a guess lands next to the
 * record and one read of a window finds it, however many hosts there are.
 */
const HASH_BYTES = 8;
const RECORD_BYTES = 12;
const WINDOW_RECORDS = 4096;

function hashHost(host: string): Buffer {
  return Buffer.from(hash('sha256', host).slice(0, 2 * HASH_BYTES), 'hex');
}

/** The index's bytes for `count` hosts, each named once, and their shards. */
export function encodeHostIndex(hosts: Iterable<{ host: string; shard: number }>, count: number): Buffer {
  const records = Buffer.alloc(count * RECORD_BYTES);
  const at = (i: number) => i * RECORD_BYTES;
  let next = 0;
  for (const { host, shard } of hosts) {
    hashHost(host).copy(records, at(next));
    records.writeUInt32BE(shard, at(next) + HASH_BYTES);
    next += 1;
  }
  // Comparing numbers first is many times faster, and mostly enough.
  const leading = Float64Array.from({ length: count }, (_, i) => records.readUIntBE(at(i), 6));
  const order = Uint32Array.from(leading.keys()).sort(
    (a, b) => (leading[a] ?? 0) - (leading[b] ?? 0) || records.compare(records, at(b), at(b + 1), at(a), at(a + 1)),
  );
  const sorted = Buffer.alloc(records.length);
  order.forEach((from, to) => records.copy(sorted, at(to), at(from), at(from + 1)));
  return sorted;
}

/** The first shard that works a host of `hosts` in all; `undefined` if the host was not planned. */
export async function findHost(
  store: Pick<ObjectStore, 'get'>,
  batchId: string,
  hosts: number,
  host: string,
): Promise<number | undefined> {
  const wanted = hashHost(host);
  let low = 0;
  let high = hosts;
  let guess = Math.floor((wanted.readUIntBE(0, 6) / 2 ** 48) * hosts);
  while (low < high) {
    const first = Math.max(low, Math.min(guess - WINDOW_RECORDS / 2, high - WINDOW_RECORDS));
    const last = Math.min(high, first + WINDOW_RECORDS);
    const window = await store.get(hostIndexKey(batchId), { from: first * RECORD_BYTES, to: last * RECORD_BYTES });
    if (window?.length !== (last - first) * RECORD_BYTES)
      throw new Error(`The host index of batch ${batchId} is not whole.`);
    if (wanted.compare(window, 0, HASH_BYTES) < 0) {
      high = first;
      guess = first - WINDOW_RECORDS / 2;
      continue;
    }
    for (let at = 0; at < window.length; at += RECORD_BYTES) {
      const order = wanted.compare(window, at, at + HASH_BYTES);
      if (order === 0) return window.readUInt32BE(at + HASH_BYTES);
      if (order < 0) return undefined;
    }
    low = last;
    guess = last + WINDOW_RECORDS / 2;
  }
  return undefined;
}
