import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FAILURES, type FailureCode } from '../../../core/model/failure.ts';
import { helperName, waitingKey } from '../../../core/model/layout.ts';
import { MAX_HELPERS } from '../../../core/model/limits.ts';
import { noCounts, pendingOf, sumCounts, type Counts, type ShardRecord } from '../../../core/model/records.ts';
import type { PartialFile } from '../../../core/model/partial-file.ts';
import { shardRecord } from '../../contract/records.ts';

const CODES = Object.keys(FAILURES) as FailureCode[];

const count = fc.nat(1_000_000);
const counts = fc.record<Counts>({
  done: count,
  failed: count,
  skipped: count,
  cancelled: count,
  bytes: count,
  failures: fc.dictionary(fc.constantFrom(...CODES), count),
});

describe('sums of counts', () => {
  test('do not depend on how the counts were dealt out', () => {
    fc.assert(
      fc.property(fc.array(counts), fc.array(counts), (some, others) => {
        expect(sumCounts([sumCounts(some), sumCounts(others)])).toEqual(sumCounts([...others, ...some]));
      }),
    );
  });

  test('of nothing are nothing, and leave what they add as it is', () => {
    expect(sumCounts([])).toEqual(noCounts());
    const one = { ...noCounts(), failures: { NOT_FOUND: 1 } };
    sumCounts([one, one]);
    expect(one.failures).toEqual({ NOT_FOUND: 1 });
  });
});

test('what has no outcome is pending', () => {
  expect(pendingOf(shardRecord('b', 0, { total: 20, done: 1, failed: 2, skipped: 3, cancelled: 4 }))).toBe(10);
});

/** A shard with every field that it has while it is worked, of ten million entries and 100 TiB. */
function largestShard(codes: readonly FailureCode[], helpers?: readonly string[]): ShardRecord {
  const id = '019b5c6e-8f00-7abc-8def-0123456789ab';
  const time = Date.UTC(2030, 0, 1);
  return {
    batchId: id,
    shard: 999,
    rev: 123_456,
    from: 1_400_000_000,
    to: 1_500_000_000,
    total: 9_999_999,
    hosts: 123_456,
    connections: 64,
    connectionsPerHost: 256,
    done: 1_999_999,
    failed: 1_999_999,
    skipped: 1_999_999,
    cancelled: 1_999_999,
    bytes: 100 * 1024 ** 4,
    failures: Object.fromEntries(codes.map((code) => [code, 199_999])),
    cursor: 1_450_000_000,
    retrying: 10_000,
    partialBytes: 100 * 1024 ** 4,
    seq: 123_456,
    epoch: 12_345,
    owner: { ticket: id, turn: id },
    leaseUntil: time,
    wakeAt: time,
    ticketed: false,
    sweptAt: time,
    waiting: waitingKey(id, 999, 123_456, 12_345, 99),
    crashes: 10,
    abroad: true,
    helpers,
    rate: { filesPerSecond: 12_345.67, bytesPerSecond: 123_456_789, at: time },
    workedMs: 7 * 86_400_000,
  };
}

/** Once it is finished it has this instead of what its owner needed. */
function finished(shard: ShardRecord): ShardRecord {
  const gone = { owner: undefined, waiting: undefined, partialBytes: undefined };
  return { ...shard, ...gone, finishedAt: Date.UTC(2030, 0, 1) };
}

const size = (record: ShardRecord) => Buffer.byteLength(JSON.stringify(record));

test('a shard record does not grow with its entries: a kilobyte, unless they fail in more than eight ways', () => {
  const longest = CODES.toSorted((a, b) => b.length - a.length);
  expect(size(largestShard([]))).toBeLessThanOrEqual(820);
  expect(size(largestShard(longest.slice(0, 8)))).toBeLessThanOrEqual(1024);
  expect(size(finished(largestShard([])))).toBeLessThan(size(largestShard([])));
  expect(size(largestShard(CODES))).toBeLessThanOrEqual(1600);
});

test('as many helpers as a shard can have are named in that kilobyte, unless its entries fail in more than four ways', () => {
  const longest = CODES.toSorted((a, b) => b.length - a.length);
  const helpers = Array.from({ length: MAX_HELPERS }, (_, n) => helperName(9_999_999, 100 + n));
  // It does not go abroad before they have ended.
  const shard = { ...largestShard(longest.slice(0, 4), helpers), abroad: undefined };
  expect(size(shard)).toBeLessThanOrEqual(1024);
});

test('what waits of a file of 10,000 parts takes a megabyte of the waiting list, and nothing of the record', () => {
  const md5 = 'd41d8cd98f00b204e9800998ecf8427e';
  const parts = Array.from({ length: 10_000 }, (_, i) => ({
    number: i + 1,
    etag: `"${md5}"`,
    bytes: 11 * 1024 ** 2,
    checksum: 'y/Q5Jg==',
  }));
  const partial: PartialFile = {
    uploadId: 'u'.repeat(150),
    partBytes: 11 * 1024 ** 2,
    parts,
    etag: '"1"',
    source: md5,
  };
  expect(Buffer.byteLength(JSON.stringify(partial))).toBeLessThanOrEqual(1.1 * 1024 ** 2);
});
