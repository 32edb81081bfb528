/**
 * DynamoDB is dynalite here, which knows what this ledger needs of it: conditions, consistent reads, queries in pages
 * of a megabyte. It never drops an item by its TTL, so that the attribute itself is looked at; and every read of its is
 * consistent, so that what was asked for is looked at where it goes on the wire.
 */
import { Readable } from 'node:stream';
import { GetItemCommand, QueryCommand, type AttributeValue } from '@aws-sdk/client-dynamodb';
import { describe, expect, test } from 'vitest';
import { createDynamoLedger } from '../../adapters/aws/dynamo-ledger.ts';
import { closeAfter } from '../../core/batch/close.ts';
import { usageOf } from '../../core/cost/usage.ts';
import { WORKER_MB } from '../../core/model/limits.ts';
import { OPTION_RANGES } from '../../core/model/options.ts';
import type { ShardRecord } from '../../core/model/records.ts';
import { createWire, THROTTLED, type Fault, type WireCall } from '../helpers/aws-wire.ts';
import { startAws } from '../helpers/aws.ts';
import { createService } from '../unit/batch/service.ts';
import { describeLedger } from './ledger-contract.ts';
import { batchRecord, claimRecord, shardRecord } from './records.ts';

async function startLedger() {
  const aws = await startAws();
  const wire = createWire();
  const { dynamo } = wire.attach(aws.createClients());
  const ledger = createDynamoLedger(dynamo, aws.config.table);

  async function readItem(pk: string, sk: string): Promise<Record<string, AttributeValue> | undefined> {
    const Key = { pk: { S: pk }, sk: { S: sk } };
    return (await aws.clients.dynamo.send(new GetItemCommand({ TableName: aws.config.table, Key }))).Item;
  }
  return { ...aws, wire, ledger, readItem };
}

/** A fault for the first attempt of every call of a command. */
function first(command: string, fault: Fault) {
  return (call: WireCall) => (call.command === command && call.attempts.length === 1 ? fault : undefined);
}

/** Of the batch whose end is paid for. */
const SHARDS = 40;

const DAY_SECONDS = 24 * 60 * 60;

describeLedger('DynamoDB', async () => (await startLedger()).ledger);

describe('requests', () => {
  test('a batch and its shards are read by one query', async () => {
    const { ledger, wire } = await startLedger();
    const batch = batchRecord();
    await ledger.createBatch(batch);
    for (const n of [1, 0, 2]) await ledger.createShard(shardRecord(batch.id, n));
    const before = wire.calls.length;
    expect((await ledger.readBatch(batch.id))?.shards).toHaveLength(3);
    expect(wire.calls.slice(before).map(({ command }) => command)).toEqual(['Query']);
  });

  test('a batch that is deleted between two pages is none, not one of fewer shards', async () => {
    const { ledger, wire } = await startLedger();
    const batch = batchRecord({ shardCount: 120 });
    await ledger.createBatch(batch);
    const waiting = 'x'.repeat(20_000);
    const numbers = Array.from({ length: 120 }, (_, n) => n);
    await Promise.all(numbers.map((n) => ledger.createShard(shardRecord(batch.id, n, { waiting }))));
    async function* afterDeletion(page: Readable) {
      await ledger.removeBatch(batch.id);
      yield* page;
    }
    wire.fault = () => {
      wire.fault = () => undefined;
      return { body: (page) => Readable.from(afterDeletion(page)) };
    };
    expect(await ledger.readBatch(batch.id)).toBeUndefined();
  });

  test('a batch whose records fill several pages is read whole', async () => {
    const { ledger, wire } = await startLedger();
    const batch = batchRecord();
    await ledger.createBatch(batch);
    const waiting = 'x'.repeat(20_000);
    const numbers = Array.from({ length: 120 }, (_, n) => n);
    await Promise.all(numbers.map((n) => ledger.createShard(shardRecord(batch.id, n, { waiting }))));
    const before = wire.calls.length;
    expect((await ledger.readBatch(batch.id))?.shards.map(({ shard }) => shard)).toEqual(numbers);
    expect(wire.calls.slice(before).map(({ command }) => command)).toEqual(['Query', 'Query', 'Query']);

    // A page of 1 MB has some 50 of them.
    for (const limit of [1, 60]) {
      expect((await ledger.readBatch(batch.id, limit))?.shards).toHaveLength(limit);
      expect(await ledger.readShards(batch.id, { from: 5, limit })).toHaveLength(limit);
    }
  });

  test.each([
    ['from the last one on', (n: number) => -n],
    ['all over the place', (n: number) => (n * 37) % 41],
  ])('shards that end one after another, %s, read no more for it than the bill says', async (_, rank) => {
    const { ledger, wire } = await startLedger();
    const service = { ...(await createService()), ledger };
    const batch = batchRecord({ state: 'running', shardCount: SHARDS });
    await ledger.createBatch(batch);
    const shards = Array.from({ length: SHARDS }, (_, n) =>
      shardRecord(batch.id, n, {
        ...busyShard(batch.id),
        ...{ rev: 1, failed: 0, failures: {}, finishedAt: undefined },
      }),
    );
    await Promise.all(shards.map((shard) => ledger.createShard(shard)));
    const before = wire.calls.length;
    for (const shard of shards.toSorted((a, b) => rank(a.shard) - rank(b.shard))) {
      expect((await ledger.getBatch(batch.id))?.state).toBe('running');
      await ledger.replaceShard({ ...shard, rev: 2, finishedAt: 1 });
      await closeAfter(service, shard);
    }
    expect((await ledger.getBatch(batch.id))?.state).toBe('finished');
    const queries = wire.calls.slice(before).filter(({ command }) => command === 'Query');
    const units = queries.reduce((sum, call) => sum + readUnits(call), 0);
    const work = {
      turns: 0,
      workedMs: 0,
      checkpoints: 0,
      results: 0,
      files: 0,
      bytes: 0,
      lookedUp: 0,
      manifestBytes: 0,
    };
    const { recordReads } = usageOf({ ...work, shards: SHARDS }, WORKER_MB);
    expect(units).toBeLessThanOrEqual(recordReads);
    expect(units).toBeGreaterThan(recordReads / 2);
  });

  test('every read asks for what was written last', async () => {
    const { ledger, wire } = await startLedger();
    const batch = batchRecord();
    await ledger.createBatch(batch);
    await ledger.createBatch(batch);
    await Promise.all([ledger.getBatch(batch.id), ledger.getShard(batch.id, 0), ledger.readBatch(batch.id)]);
    await ledger.readProgress(batch.id);
    await Promise.all([ledger.listBatches({ limit: 1 }), ledger.listOpen()]);
    await ledger.readShards(batch.id, { from: 0, limit: 1 });
    const reads = wire.calls.filter(({ command }) => command === 'GetItem' || command === 'Query');
    expect(reads.length).toBeGreaterThan(5);
    for (const { input } of reads) expect(input.ConsistentRead).toBe(true);
  });

  test('how far a batch is comes by one query, without what else is in the records of shards', async () => {
    const { ledger, wire } = await startLedger();
    const batch = batchRecord();
    await ledger.createBatch(batch);
    await ledger.createShard(shardRecord(batch.id, 0));
    const before = wire.calls.length;
    const { shards: [shard] = [] } = (await ledger.readProgress(batch.id)) ?? {};
    expect(wire.calls).toHaveLength(before + 1);
    for (const field of ['batchId', 'cursor', 'wakeAt', 'sk', 'write']) expect(shard).not.toHaveProperty(field);
  });

  test('a batch enters the open ones first, the list next, and exists last', async () => {
    const { ledger, wire } = await startLedger();
    const batch = batchRecord();
    for (const writes of [0, 1, 2]) {
      let left = writes;
      wire.fault = () => (left-- > 0 ? undefined : { status: 400, body: '{"__type":"ValidationException"}' });
      await expect(ledger.createBatch(batch)).rejects.toThrow();
      wire.fault = () => undefined;
      expect(await ledger.listOpen()).toEqual(writes > 0 ? [batch.id] : []);
      expect(await ledger.listBatches({ limit: 1 })).toHaveLength(writes > 1 ? 1 : 0);
      expect(await ledger.getBatch(batch.id)).toBeUndefined();
    }
    expect(await ledger.createBatch(batch)).toBe(true);
  });
});

describe('faults of the table', () => {
  test('a write whose answer was lost is known as the own one, and not done twice', async () => {
    const { ledger, wire } = await startLedger();
    wire.fault = first('PutItem', 'lose answer');
    const batch = batchRecord();
    const shard = shardRecord(batch.id, 0);
    expect(await ledger.createBatch(batch)).toBe(true);
    expect(await ledger.createShard(shard)).toBe(true);
    expect(await ledger.replaceBatch({ ...batch, rev: 2, state: 'running' })).toBe(true);
    expect(await ledger.replaceShard({ ...shard, rev: 2, epoch: 1 })).toBe(true);
    expect(await ledger.putClaim(claimRecord('k'))).toBe(true);
    expect(await ledger.putClaim(claimRecord('k', { rev: 2 }))).toBe(true);
    expect(await ledger.getBatch(batch.id)).toMatchObject({ rev: 2, state: 'running' });
    expect(await ledger.getShard(batch.id, 0)).toMatchObject({ rev: 2, epoch: 1 });
  });

  test("a write that was lost on its way is done again, unless another's came first", async () => {
    const { ledger, wire } = await startLedger();
    const shard = shardRecord('b', 0);
    wire.fault = first('PutItem', 'lose request');
    expect(await ledger.createShard(shard)).toBe(true);
    // The other's record is the same to the last field.
    const next = { ...shard, rev: 2 };
    expect(await ledger.replaceShard(next)).toBe(true);
    expect(await ledger.replaceShard(next)).toBe(false);
    expect(await ledger.createShard(next)).toBe(false);
  });

  test('a write that landed and was replaced before its repetition is not taken for the newest', async () => {
    const { ledger, wire, clients, config } = await startLedger();
    const other = createDynamoLedger(clients.dynamo, config.table);
    const shard = shardRecord('b', 0);
    await ledger.createShard(shard);
    const mine = { ...shard, rev: 2, owner: { ticket: 'mine', turn: 'mine' } };
    const theirs = { ...shard, rev: 3, owner: { ticket: 'theirs', turn: 'theirs' } };
    const replaced = Promise.withResolvers<boolean>();
    wire.fault = first('PutItem', 'lose answer');
    wire.onAnswer = ({ attempts }) => {
      if (attempts.length === 1) other.replaceShard(theirs).then(replaced.resolve, replaced.reject);
    };
    const answer = ledger.replaceShard(mine);
    expect(await replaced.promise).toBe(true);
    expect(await answer).toBe(false);
    expect(await ledger.getShard('b', 0)).toEqual(theirs);
  });

  test('throttling and internal errors are waited out', async () => {
    const { ledger, wire } = await startLedger();
    const batch = batchRecord();
    wire.fault = first('PutItem', THROTTLED);
    expect(await ledger.createBatch(batch)).toBe(true);
    wire.fault = first('Query', { status: 500, body: '{"__type":"InternalServerError"}' });
    expect(await ledger.readBatch(batch.id)).toEqual({ batch, shards: [] });
  });

  test('what does not pass is thrown', async () => {
    const { ledger, wire } = await startLedger();
    wire.fault = () => ({ status: 500, body: '{"__type":"InternalServerError"}' });
    await expect(ledger.createShard(shardRecord('b', 0))).rejects.toThrow();
    await expect(ledger.getShard('b', 0)).rejects.toThrow();
  });
});

describe('items', () => {
  test('every item of a batch expires 30 days after its deadline, its shards not before', async () => {
    const { ledger, readItem } = await startLedger();
    const createdAt = Date.UTC(2030, 0, 1);
    const batch = batchRecord({ createdAt, deadline: createdAt + 7 * DAY_SECONDS * 1000 });
    await ledger.createBatch(batch);
    await ledger.createShard(shardRecord(batch.id, 0, { wakeAt: createdAt }));
    const expiry = String(createdAt / 1000 + 37 * DAY_SECONDS);
    expect((await readItem(batch.id, 'BATCH'))?.ttl?.N).toBe(expiry);
    expect((await readItem('BATCHES', batch.id))?.ttl?.N).toBe(expiry);
    expect((await readItem('OPEN', batch.id))?.ttl?.N).toBe(expiry);
    const latestDeadline = createdAt / 1000 + OPTION_RANGES.deadlineSeconds.max;
    expect((await readItem(batch.id, 'S00000'))?.ttl?.N).toBe(String(latestDeadline + 30 * DAY_SECONDS));
  });

  test('a claim expires when its key is forgotten', async () => {
    const { ledger, readItem } = await startLedger();
    const claim = claimRecord('k');
    await ledger.putClaim(claim);
    expect((await readItem('CLAIMS', 'k'))?.ttl?.N).toBe(String(claim.expiresAt / 1000));
  });

  test('a batch is removed in the order in which a crash leaves an open item at most', async () => {
    const { ledger, wire } = await startLedger();
    const batch = batchRecord();
    await ledger.createBatch(batch);
    await ledger.dropOpen(batch.id);
    for (const n of [0, 1]) await ledger.createShard(shardRecord(batch.id, n));
    const before = wire.calls.length;
    await ledger.removeBatch(batch.id);
    const calls = wire.calls.slice(before).map(({ command, input }) => {
      const { pk, sk } = (input.Item ?? input.Key ?? {}) as Record<string, AttributeValue>;
      return [command, pk?.S === batch.id ? '' : pk?.S, sk?.S === batch.id ? '' : sk?.S].filter(Boolean).join(' ');
    });
    expect(calls).toEqual([
      'PutItem OPEN',
      'DeleteItem BATCH',
      'DeleteItem BATCHES',
      'Query',
      'DeleteItem S00000',
      'DeleteItem S00001',
      'Query',
    ]);
  });

  test('fields are attributes that a person can read', async () => {
    const { ledger, readItem } = await startLedger();
    const shard = shardRecord('b', 7, { failures: { NOT_FOUND: 3 }, ticketed: true, waiting: 'w' });
    await ledger.createShard(shard);
    expect(await readItem('b', 'S00007')).toMatchObject({
      rev: { N: '1' },
      ticketed: { BOOL: true },
      waiting: { S: 'w' },
      failures: { M: { NOT_FOUND: { N: '3' } } },
    });
  });

  test('empty texts and fractions survive', async () => {
    const { ledger } = await startLedger();
    const batch = batchRecord();
    batch.options.prefix = '';
    await ledger.createBatch(batch);
    expect(await ledger.getBatch(batch.id)).toEqual(batch);
    const rate = { filesPerSecond: 1 / 3, bytesPerSecond: 1.5e-7, at: 1 };
    await ledger.createShard(shardRecord('b', 0, { rate, bytes: 1e21 }));
    expect(await ledger.getShard('b', 0)).toMatchObject({ rate, bytes: 1e21 });
  });

  test('the records of a busy batch are one write unit each', async () => {
    const { ledger, clients, config } = await startLedger();
    const batch = batchRecord({ name: 'kittens of the year', cancelledAt: Date.now(), closedAt: Date.now() });
    batch.notifiedAt = Date.now();
    batch.final = busyCounts();
    await ledger.createBatch(batch);
    await ledger.createShard(shardRecord(batch.id, 999, busyShard(batch.id)));
    const { Items = [] } = await clients.dynamo.send(
      new QueryCommand({
        TableName: config.table,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': { S: batch.id } },
        ReturnConsumedCapacity: 'TOTAL',
      }),
    );
    expect(Items).toHaveLength(2);
    for (const item of Items) expect(itemBytes(item)).toBeLessThanOrEqual(1024);
  });
});

function busyCounts() {
  const failures = { NOT_FOUND: 123_456, FORBIDDEN: 12_345, HOST_DOWN: 1234, UNKNOWN_HOST: 12_345, TRUNCATED: 12 };
  return { done: 9_000_000, failed: 150_000, skipped: 12_345, cancelled: 0, bytes: 123_456_789_012_345, failures };
}

/** What the record of a shard in the middle of its work holds. */
function busyShard(batchId: string): Partial<ShardRecord> {
  return {
    ...busyCounts(),
    ...{ leaseUntil: Date.now(), wakeAt: Date.now(), sweptAt: Date.now(), finishedAt: Date.now() },
    ...{ from: 1_234_567_890, to: 2_234_567_890, cursor: 1_334_567_890, total: 10_000, hosts: 1000 },
    ...{ rev: 123_456, seq: 12_345, epoch: 123, retrying: 10_000 },
    owner: { ticket: batchId, turn: batchId },
    rate: { filesPerSecond: 1234.5678901234, bytesPerSecond: 123456789.01234567, at: Date.now() },
    waiting: `batches/${batchId}/waiting/00999/00012345.00000123.1234.json`,
  };
}

/** What a consistent query costs, in units of 4 KB. */
function readUnits({ output }: WireCall): number {
  const items = (output?.Items ?? []) as Record<string, AttributeValue>[];
  return Math.max(1, Math.ceil(items.reduce((sum, item) => sum + itemBytes(item), 0) / 4096));
}

/** An item's size by DynamoDB's rules. */
function itemBytes(item: Record<string, AttributeValue>): number {
  return Object.entries(item).reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + valueBytes(value), 0);
}

function valueBytes({ S, N, M }: AttributeValue): number {
  if (S !== undefined) return Buffer.byteLength(S);
  if (N !== undefined) return Math.ceil(N.replace(/\D/g, '').length / 2) + 1;
  return M ? 3 + Object.keys(M).length + itemBytes(M) : 1;
}
