import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { plan, type HostCount, type PlanLimits, type ShardPlan } from '../../../core/plan/plan.ts';

const limits: PlanLimits = {
  connectionsPerHost: 16,
  connectionsPerShard: 16,
  connectionsPerMixedShard: 64,
  maxShards: 1000,
  minEntriesPerShard: 200,
};

const anyLimits = fc.record({
  connectionsPerHost: fc.integer({ min: 1, max: 256 }),
  connectionsPerShard: fc.integer({ min: 1, max: 64 }),
  connectionsPerMixedShard: fc.integer({ min: 1, max: 64 }),
  maxShards: fc.oneof(fc.integer({ min: 1, max: 16 }), fc.integer({ min: 1, max: 1000 })),
  minEntriesPerShard: fc.integer({ min: 1, max: 500 }),
});

const size = fc.oneof(
  fc.integer({ min: 1, max: 3 }),
  fc.integer({ min: 1, max: 400 }),
  fc.integer({ min: 1, max: 1_000_000 }),
);
const anyHosts = fc
  .oneof(
    fc.array(size, { minLength: 1, maxLength: 12 }),
    fc.array(size, { minLength: 1, maxLength: 300, size: 'max' }),
    fc.array(fc.constant(1), { minLength: 1, maxLength: 3000, size: 'max' }),
  )
  .map((sizes) => sizes.map((entries, i): HostCount => ({ host: `https://h${i}.example`, entries })));

/** Whether a shard was packed of whole small hosts, not cut from a large one. */
function isMixed(shard: ShardPlan, hosts: readonly HostCount[], { maxShards, minEntriesPerShard }: PlanLimits) {
  const total = hosts.reduce((sum, { entries }) => sum + entries, 0);
  const share = Math.max(minEntriesPerShard, Math.ceil(total / maxShards));
  return hosts.some(({ host, entries }) => host === shard.segments[0]?.host && entries < share);
}

const check = (property: (hosts: HostCount[], limits: PlanLimits) => void) =>
  fc.assert(fc.property(anyHosts, anyLimits, property), { numRuns: 300 });

describe('every plan', () => {
  test('gives a host no more connections than asked for, summed over all shards', () => {
    check((hosts, limits) => {
      const perHost = new Map<string, number>();
      for (const { segments, connections, connectionsPerHost } of plan(hosts, limits)) {
        expect(connections).toBeGreaterThanOrEqual(1);
        expect(connectionsPerHost).toBeGreaterThanOrEqual(1);
        const most = Math.min(connections, connectionsPerHost);
        for (const { host } of segments) perHost.set(host, (perHost.get(host) ?? 0) + most);
      }
      expect(Math.max(...perHost.values())).toBeLessThanOrEqual(limits.connectionsPerHost);
    });
  });

  test('has no more shards than allowed, and none without entries', () => {
    check((hosts, limits) => {
      const shards = plan(hosts, limits);
      expect(shards.length).toBeLessThanOrEqual(limits.maxShards);
      expect(Math.min(...shards.map((shard) => shard.entries))).toBeGreaterThanOrEqual(1);
    });
  });

  test('has every entry in exactly one shard, the entries of a host side by side', () => {
    check((hosts, limits) => {
      const shards = plan(hosts, limits);
      const planned = new Map<string, number>();
      let last: string | undefined;
      for (const { segments, entries } of shards) {
        expect(segments.reduce((sum, segment) => sum + segment.entries, 0)).toBe(entries);
        for (const segment of segments) {
          // A host that comes up again has nothing between its parts.
          if (planned.has(segment.host)) expect(last).toBe(segment.host);
          planned.set(segment.host, (planned.get(segment.host) ?? 0) + segment.entries);
          last = segment.host;
        }
      }
      expect(planned).toEqual(new Map(hosts.map(({ host, entries }) => [host, entries])));
    });
  });

  test('packs small hosts whole, into shards within their limit of connections', () => {
    check((hosts, limits) => {
      const sizes = new Map(hosts.map(({ host, entries }) => [host, entries]));
      for (const shard of plan(hosts, limits)) {
        if (!isMixed(shard, hosts, limits)) continue;
        expect(shard.connections).toBeLessThanOrEqual(limits.connectionsPerMixedShard);
        for (const { host, entries } of shard.segments) expect(entries).toBe(sizes.get(host));
      }
    });
  });

  test('is even: mixed shards differ by the largest host among them at most, shards of one host by one entry', () => {
    check((hosts, limits) => {
      const shards = plan(hosts, limits);
      const mixed = shards.filter((shard) => isMixed(shard, hosts, limits));
      const sizes = mixed.map((shard) => shard.entries);
      const largest = Math.max(...mixed.flatMap(({ segments }) => segments.map((segment) => segment.entries)));
      if (mixed.length > 0) expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(largest);

      for (const parts of Map.groupBy(shards, ({ segments }) => segments[0]?.host).values()) {
        if (parts.some((shard) => isMixed(shard, hosts, limits))) continue;
        const counts = parts.map((shard) => shard.entries);
        const connections = parts.map((shard) => shard.connections);
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        expect(Math.max(...connections) - Math.min(...connections)).toBeLessThanOrEqual(1);
      }
    });
  });

  test('is the same for the same hosts and limits', () => {
    check((hosts, limits) => {
      expect(plan(hosts, limits)).toEqual(plan(structuredClone(hosts), limits));
    });
  });
});

test('a large host gets shards of its own, with its connections dealt out among them', () => {
  const shards = plan([{ host: 'https://a', entries: 100_000 }], { ...limits, connectionsPerHost: 40 });
  expect(shards.map((shard) => shard.connections)).toEqual([13, 13, 14]);
  expect(shards.map((shard) => shard.entries)).toEqual([33_333, 33_333, 33_334]);
});

test('a host with few entries is not cut into shards that are too small to be worth it', () => {
  const [first, ...rest] = plan([{ host: 'https://a', entries: 399 }], { ...limits, connectionsPerHost: 256 });
  expect(first).toMatchObject({ entries: 399, connections: 256 });
  expect(rest).toEqual([]);
});

test('small hosts are dealt out to and fro, so that shards come out even', () => {
  const hosts = [40, 30, 20, 10].map((entries, i) => ({ host: `https://h${i}`, entries }));
  const shards = plan(hosts, { ...limits, minEntriesPerShard: 50, connectionsPerHost: 1, connectionsPerMixedShard: 2 });
  expect(shards.map((shard) => [shard.entries, shard.segments.map(({ host }) => host)])).toEqual([
    [50, ['https://h0', 'https://h3']],
    [50, ['https://h1', 'https://h2']],
  ]);
});

test('a thousand hosts of a thousand entries become a shard each', () => {
  const hosts = Array.from({ length: 1000 }, (_, i) => ({ host: `https://h${i}`, entries: 1000 }));
  const shards = plan(hosts, limits);
  expect(shards).toHaveLength(1000);
  expect(new Set(shards.map((shard) => shard.connections))).toEqual(new Set([16]));
});

test('a single URL is one shard with all connections of its host, since a large file makes use of them', () => {
  expect(plan([{ host: 'https://a', entries: 1 }], limits)).toEqual([
    { segments: [{ host: 'https://a', entries: 1 }], entries: 1, connections: 16, connectionsPerHost: 16 },
  ]);
});

test('a list without entries has no shards', () => {
  expect(plan([], limits)).toEqual([]);
});

test('a hundred thousand hosts are planned', () => {
  const hosts = Array.from({ length: 100_000 }, (_, i) => ({ host: `https://h${i}`, entries: 1 + (i % 50) }));
  const shards = plan(hosts, limits);
  expect(shards.length).toBeLessThanOrEqual(1000);
  expect(shards.reduce((sum, shard) => sum + shard.segments.length, 0)).toBe(100_000);
});
