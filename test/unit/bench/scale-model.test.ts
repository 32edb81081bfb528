import { describe, expect, it } from 'vitest';
import { connectionSeconds, forecast, putsAt, putsOf, workersAt, type World } from '../../../bench/scale-model.ts';

/** A fifth of a second of one connection, beside the 0.2 s of its answer. */
const FILE_BYTES = 0.2 * 4 * 1024 ** 2;

const world = (changes: Partial<World> = {}): World => ({
  hosts: 1,
  filesPerHost: 1600,
  fileBytes: FILE_BYTES,
  limits: {
    connectionsPerHost: 16,
    connectionsPerShard: 16,
    connectionsPerMixedShard: 64,
    maxShards: 1000,
    minEntriesPerShard: 200,
  },
  maxConcurrency: 100,
  ...changes,
});

// Every number here is computed by hand.
describe('the model of a deployment', () => {
  it('has a connection busy for the answer and the body of a file', () => {
    expect(connectionSeconds(world())).toBeCloseTo(0.4);
  });

  it('stores a small file by one request, and 1 GB in 120 parts and two requests around them', () => {
    expect(putsOf(100_000)).toBe(1);
    expect(putsOf(1e9)).toBe(122);
  });

  it('starts with five workers and gets 300 more a minute, up to what is allowed', () => {
    expect([0, 1, 60, 60, 600].map((seconds) => workersAt(seconds, 1000))).toEqual([5, 10, 305, 305, 1000]);
    expect(workersAt(600, 5000)).toBe(1250);
    expect(workersAt(60, 100)).toBe(100);
  });

  it('has a prefix take 3,500 writes a second, and twice as many after half an hour', () => {
    expect([0, 1799, 1800, 3600].map(putsAt)).toEqual([3500, 3500, 7000, 14_000]);
  });

  it('works a shard as fast as its connections are, and pays for the worker, checkpoints and requests', () => {
    // 16 connections / 0.4 s = 40 files a second.
    const { shards, seconds, floors, slowest, putDollars, cost, overhead } = forecast(world());
    expect([shards, seconds, slowest]).toEqual([1, 40, 'sources']);
    expect(floors.sources).toBeCloseTo(40);
    expect(floors.s3).toBe(1);
    // 75e6 B/s a worker: 89.4 files; 1,600 of them by 100 workers.
    expect(floors.workers).toBeCloseTo(1600 / 89.4 / 100, 3);
    expect(putDollars).toBeCloseTo(1600 * 5e-6);
    // 40 s and half a second of cold start with 1,769 MB, and a request.
    expect(cost.parts.lambda).toBeCloseTo(40.5 * (1769 / 1024) * 1.33334e-5 + 0.2e-6, 6);
    // A checkpoint every 5 s and one at the end, each of two objects.
    expect(overhead.results).toBeCloseTo((9 * 2 * 5e-6) / putDollars);
    expect(overhead.total).toBeCloseTo((cost.dollars - putDollars) / putDollars);
  });

  it('has shards wait that are more than the workers', () => {
    expect(forecast(world({ hosts: 4, maxConcurrency: 2 }))).toMatchObject({ shards: 4, seconds: 80 });
  });

  it('gives a long shard up after ten minutes, for another one', () => {
    // Two shards of 900 s by one worker: ten minutes of each, and then what is left of each.
    const long = world({ hosts: 2, filesPerHost: 36_000, maxConcurrency: 1 });
    expect(forecast(long)).toMatchObject({ shards: 2, turns: 4, seconds: 1800 });
  });

  it('lets nobody store faster than S3 takes it', () => {
    // 100 shards of 80 small files a second want 8,000.
    const { seconds, floors, slowest } = forecast(world({ hosts: 100, filesPerHost: 35_000, fileBytes: 1000 }));
    expect([floors.s3, slowest]).toEqual([1000, 's3']);
    // They are not all there at first: 5 more a second.
    expect(seconds).toBeGreaterThan(1000);
    expect(seconds).toBeLessThan(1020);
  });
});
