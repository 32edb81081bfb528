import { describe, expect, test } from 'vitest';
import { batchStatus } from '../../../core/batch/status.ts';
import { findSharedHosts, topHosts } from '../../../core/batch/shared-hosts.ts';
import { warningsOf } from '../../../core/batch/warnings.ts';
import { cancelBatch } from '../../../core/batch/control.ts';
import { batchRecord, shardRecord } from '../../contract/records.ts';
import { createService, submit, urlsOf } from './service.ts';

const running = batchRecord({ state: 'running', total: 100_000 });
const ofOneHost = shardRecord(running.id, 0, { total: 90_000, hosts: 1, connections: 16 });
const ofMany = shardRecord(running.id, 1, { total: 10_000, hosts: 500, connections: 64 });

describe('a batch warns', () => {
  test('of connectionsPerHost, if most of what is left waits for it, and for long', () => {
    expect(warningsOf(running, [ofOneHost, ofMany], 50)).toEqual([
      'connectionsPerHost (16) binds: 90000 of the 100000 pending entries (of 100000) are of hosts to which no more ' +
        'requests may be open. Allow more only if the hosts can bear it.',
    ]);
    expect(warningsOf(running, [ofOneHost, ofMany], 1000)).toEqual([]);
    expect(warningsOf(running, [ofOneHost, ofMany], 0)).toEqual([]);
    expect(warningsOf(running, [{ ...ofOneHost, done: 85_000 }, ofMany], 1)).toEqual([]);
  });

  test('of requestsPerSecondPerHost, if a host takes long by that alone', () => {
    const options = { ...running.options, requestsPerSecondPerHost: 2 };
    const [half, otherHalf] = [0, 1].map((i) => shardRecord(running.id, i, { total: 45_000, connections: 8 }));
    expect(
      warningsOf(
        { ...running, options },
        [half, otherHalf].flatMap((shard) => shard ?? []),
        0,
      ),
    ).toEqual(['requestsPerSecondPerHost (2) binds: the largest host alone takes 13 hours more.']);
    expect(warningsOf({ ...running, options }, [shardRecord(running.id, 0, { total: 1000 })], 0)).toEqual([]);
  });

  test('of nothing while it does not run', () => {
    expect(warningsOf({ ...running, state: 'paused' }, [ofOneHost], 1)).toEqual([]);
    expect(warningsOf({ ...running, closedAt: 1, sharedHosts: { h: 'b' } }, [ofOneHost], 1)).toEqual([]);
  });

  test('of a host that another open batch works', async () => {
    const service = await createService();
    const first = await submit(service, [...urlsOf(3, 'a.example'), ...urlsOf(1, 'b.example')]);
    expect(await batchStatus(service, first)).toMatchObject({ warnings: [] });
    const second = await submit(service, [...urlsOf(5, 'a.example'), ...urlsOf(2, 'c.example')]);
    expect(await batchStatus(service, second)).toMatchObject({
      warnings: [`Batch ${first} was working https://a.example when this one began: their requests to it add up.`],
    });
    await cancelBatch(service, first);
    await cancelBatch(service, second);
    const third = await submit(service, urlsOf(1, 'a.example'));
    expect(await batchStatus(service, third)).toMatchObject({ warnings: [] });
  });
});

describe("a batch's record", () => {
  test('names the hosts with the most entries', () => {
    const hosts = ['a', 'b', 'c', 'd', 'e'].map((host, i) => ({ host, entries: [3, 9, 1, 9, 4][i] ?? 0 }));
    expect(topHosts(hosts)).toEqual({ b: 9, d: 9, e: 4 });
    expect(topHosts([])).toEqual({});
  });

  test('leaves out names that would make it too large', () => {
    const long = 'x'.repeat(121);
    expect(topHosts([{ host: long, entries: 9 }])).toEqual({});
  });

  test('finds no host of batches that do not name any', async () => {
    const { ledger } = await createService();
    await ledger.createBatch(batchRecord({ state: 'running' }));
    expect(await findSharedHosts(ledger, { 'https://a.example': 1 })).toEqual({});
  });
});
