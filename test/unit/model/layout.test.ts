import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseResultsKey, resultsKey, resultsPrefix, waitingKey } from '../../../core/model/layout.ts';

const count = (max: number) => fc.integer({ min: 0, max });
const part = fc.record({ seq: count(99_999_999), epoch: count(99_999_999), failed: count(99_999) });

test('the key of a results object says what is in it', () => {
  fc.assert(
    fc.property(part, (part) => {
      expect(parseResultsKey(resultsKey('b', 3, part))).toEqual(part);
    }),
  );
});

test('results objects lie in the order of their checkpoints, those of one checkpoint in the order of their leases', () => {
  fc.assert(
    fc.property(part, part, (a, b) => {
      const order = a.seq - b.seq || a.epoch - b.epoch || a.failed - b.failed;
      const [left, right] = [resultsKey('b', 3, a), resultsKey('b', 3, b)];
      expect(left < right).toBe(order < 0);
    }),
  );
});

test('the results of a shard lie below its own prefix', () => {
  expect(resultsKey('b', 1, { seq: 1, epoch: 1, failed: 0 }).startsWith(resultsPrefix('b', 1))).toBe(true);
  expect(resultsKey('b', 10, { seq: 1, epoch: 1, failed: 0 }).startsWith(resultsPrefix('b', 1))).toBe(false);
});

test.each(['', 'batches/b/results/00001/x.jsonl', waitingKey('b', 1, 2, 3, 4), 'batches/b/results/00001/1.2.3.json'])(
  '%j is not the key of a results object',
  (key) => expect(parseResultsKey(key)).toBeUndefined(),
);
