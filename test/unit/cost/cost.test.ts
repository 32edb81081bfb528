import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { costOf } from '../../../core/cost/cost.ts';
import { ASSUMED, estimate } from '../../../core/cost/estimate.ts';
import { AWS_PRICES } from '../../../core/cost/prices.ts';
import { usageOf, type Usage, type Work } from '../../../core/cost/usage.ts';
import { DEFAULT_OPTIONS } from '../../../core/model/options.ts';
import { plan } from '../../../core/plan/plan.ts';
import { LIMITS } from '../batch/service.ts';

const NOTHING: Usage = {
  gbSeconds: 0,
  turns: 0,
  s3Writes: 0,
  s3Reads: 0,
  recordWrites: 0,
  recordReads: 0,
  sqsRequests: 0,
};
const MILLION = 1e6;

describe('a cost', () => {
  test.each([
    ['gbSeconds', 13.3334],
    ['turns', 0.2],
    ['s3Writes', 5],
    ['s3Reads', 0.4],
    ['recordWrites', 0.625],
    ['recordReads', 0.125],
    ['sqsRequests', 0.4],
  ] as const)('of a million %s is $%d', (what, dollars) => {
    expect(costOf({ ...NOTHING, [what]: MILLION }, AWS_PRICES).dollars).toBe(dollars);
  });

  test('names its region, the date of its prices and what it leaves out, and is the sum of its parts', () => {
    const usage = { ...NOTHING, gbSeconds: 3e6, turns: 2e6, s3Writes: 4e6, recordReads: 8e6, sqsRequests: 1e6 };
    expect(costOf(usage, AWS_PRICES)).toEqual({
      dollars: 61.8002,
      parts: { lambda: 40.4002, s3: 20, dynamodb: 1, sqs: 0.4 },
      region: 'us-east-1',
      pricesOf: '2026-11-01',
      leftOut: expect.arrayContaining(['storage of files and state']) as string[],
    });
  });
});

describe('the usage of a batch', () => {
  const usage = (more: Partial<Work> = {}) => usageOf({ ...WORK, ...more }, 1769);
  const WORK: Work = {
    shards: 1,
    turns: 1,
    workedMs: 60_000,
    checkpoints: 12,
    results: 12,
    files: 1000,
    bytes: 0,
    lookedUp: 0,
    manifestBytes: 1000,
  };

  test('has a write for every file, and one more for every 8 MiB', () => {
    const { s3Writes } = usage();
    expect(usage({ files: 2000 }).s3Writes - s3Writes).toBe(1000);
    expect(usage({ bytes: 80 * 1024 ** 2 }).s3Writes - s3Writes).toBe(10);
  });

  test('has the memory of a worker for as long as it worked', () => {
    expect(usageOf(WORK, 1769).gbSeconds).toBeCloseTo((60 * 1769) / 1024);
    expect(usageOf(WORK, 4096).gbSeconds).toBeCloseTo(60 * 4);
  });

  test('has a read for every key that is looked up', () => {
    expect(usage({ lookedUp: 500 }).s3Reads - usage().s3Reads).toBe(500);
  });
});

describe('an estimate', () => {
  const options = { ...DEFAULT_OPTIONS, prefix: '', ownPrefix: false };
  const of = (hosts: { host: string; entries: number }[], more = {}, bytes = 0, maxTurns = 100) => {
    const limits = { ...LIMITS, connectionsPerHost: 16, ...more };
    const shards = plan(hosts, limits);
    return estimate({
      shards,
      bytesPerFile: () => bytes,
      manifestBytes: 0,
      options: { ...options, ...more },
      maxTurns,
    });
  };

  test('of one host is its entries by its connections', () => {
    const { seconds, work } = of([{ host: 'h', entries: 16_000 }]);
    expect(seconds).toBe((1000 * ASSUMED.responseMs) / 1000);
    expect(work).toMatchObject({ files: 16_000, lookedUp: 16_000, bytes: 0 });
  });

  test('keeps to requestsPerSecondPerHost', () => {
    expect(of([{ host: 'h', entries: 1000 }], { requestsPerSecondPerHost: 2 }).seconds).toBe(500);
  });

  test('of large files counts their bytes', () => {
    expect(of([{ host: 'h', entries: 16 }], {}, 400 * ASSUMED.bytesPerSecond).seconds).toBe(401);
  });

  test('is never shorter with fewer turns at once, and covers every file', () => {
    const entries = fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(entries, fc.integer({ min: 1, max: 8 }), (counts, turns) => {
        const hosts = counts.map((entries, i) => ({ host: `h${i}`, entries }));
        const [few, many] = [of(hosts, {}, 1000, turns), of(hosts, {}, 1000, 8)];
        expect(few.seconds).toBeGreaterThanOrEqual(many.seconds);
        expect(few.work.files).toBe(counts.reduce((a, b) => a + b, 0));
        expect(few.work).toEqual(many.work);
      }),
    );
  });
});
