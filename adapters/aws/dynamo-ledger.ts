import { randomBytes } from 'node:crypto';
import {
  ConditionalCheckFailedException,
  DeleteItemCommand,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  type DynamoDBClient,
  type PutItemCommandInput,
  type QueryCommandInput,
} from '@aws-sdk/client-dynamodb';
import { inLanes } from '../../core/model/lanes.ts';
import { OPTION_RANGES } from '../../core/model/options.ts';
import type { BatchRecord, ClaimRecord, HelperRecord, ShardProgress, ShardRecord } from '../../core/model/records.ts';
import type { BatchListItem, Ledger } from '../../core/ports/ledger.ts';
import { fromAttributes, toAttributes, type Attributes } from './attributes.ts';

/**
 * What is in one item besides its record.
 *
 * | record     | pk           | sk         |
 * |------------|--------------|------------|
 * | batch      | the batch id | `BATCH`    |
 * | shard      | the batch id | `S00000`   |
 * | helper     | `HELPERS` and the batch id, since who reads a batch does not want them | its name |
 * | list item  | `BATCHES`    | batch id   |
 * | open item  | `OPEN`       | batch id   |
 * | claim      | `CLAIMS`     | its key    |
 */
interface ItemKey {
  pk: string;
  sk: string;
}

const BATCH = 'BATCH';
const LIST = 'BATCHES';
const OPEN = 'OPEN';
const CLAIMS = 'CLAIMS';

/** The highest number that a shard's key has room for. */
const MAX_SHARD = 99_999;

const batchKey = (batchId: string): ItemKey => ({ pk: batchId, sk: BATCH });
const shardKey = (batchId: string, shard: number): ItemKey => ({
  pk: batchId,
  sk: `S${String(shard).padStart(5, '0')}`,
});
const helpersOf = (batchId: string) => `HELPERS ${batchId}`;
const helperKey = (batchId: string, name: string): ItemKey => ({ pk: helpersOf(batchId), sk: name });
const claimKey = (key: string): ItemKey => ({ pk: CLAIMS, sk: key });

const DAY_MS = 24 * 60 * 60 * 1000;
/** How long records are kept after their batch's deadline; its objects go 90 days after they were written. */
const KEPT_MS = 30 * DAY_MS;
/** A shard does not know its batch's deadline, but the latest that it can be: no shard goes before its batch. */
const LONGEST_BATCH_MS = OPTION_RANGES.deadlineSeconds.max * 1000;

/** When DynamoDB may drop an item, in its seconds since the epoch. */
const ttlOfBatch = ({ deadline }: BatchRecord) => Math.ceil((deadline + KEPT_MS) / 1000);
const ttlOfShard = ({ wakeAt }: ShardRecord) => Math.ceil((wakeAt + LONGEST_BATCH_MS + KEPT_MS) / 1000);
/** Helpers are not waited for as long as shards, and nobody reads of them afterwards. */
const ttlOfHelper = ({ askedAt }: HelperRecord) => Math.ceil((askedAt + LONGEST_BATCH_MS + KEPT_MS) / 1000);

const ttlOfClaim = ({ expiresAt }: ClaimRecord) => Math.ceil(expiresAt / 1000);

/** Shards removed at once. */
const SHARDS_AT_ONCE = 16;

/** Random bytes that tell one write from every other. */
const TOKEN_BYTES = 9;

/** All of a batch, for a query of it and its shards' progress; complete by its type, as are the shards'. */
const BATCH_FIELDS: Record<keyof BatchRecord, true> = {
  ...{ id: true, rev: true, name: true, state: true, reason: true, createdAt: true, deadline: true, total: true },
  ...{ duplicates: true, shardCount: true, hostCount: true, topHosts: true, sharedHosts: true, options: true },
  ...{ hasSecrets: true, claim: true, list: true, linesPlanned: true, plannedAt: true, plannings: true },
  ...{ cancelledAt: true, closedAt: true, notifiedAt: true, deletedAt: true, final: true },
};
const PROGRESS_FIELDS: Record<keyof ShardProgress, true> = {
  ...{
    shard: true,
    total: true,
    done: true,
    failed: true,
    skipped: true,
    cancelled: true,
    bytes: true,
    failures: true,
  },
  ...{ hosts: true, connections: true, retrying: true, partialBytes: true, owner: true, leaseUntil: true, rate: true },
  finishedAt: true,
};
const PROGRESS = projectionOf(Object.keys({ sk: true, ...BATCH_FIELDS, ...PROGRESS_FIELDS }));

const IF_ABSENT = 'attribute_not_exists(pk)';

/**
 * A ledger in a DynamoDB table with the keys `pk` and `sk` and the TTL attribute `ttl`.
 *
 * `false` is certain here. The client repeats a write whose answer was lost, and the repetition then fails by its own
 * condition; so each write carries a token, and who is refused looks whether the item that stands there is its own.
 */
export function createDynamoLedger(client: DynamoDBClient, table: string): Ledger {
  async function put(item: Attributes, condition?: Pick<PutItemCommandInput, 'ConditionExpression'>): Promise<void> {
    await client.send(new PutItemCommand({ TableName: table, Item: item, ...condition }));
  }

  async function get({ pk, sk }: ItemKey): Promise<Attributes | undefined> {
    const { Item } = await client.send(
      new GetItemCommand({ TableName: table, Key: { pk: { S: pk }, sk: { S: sk } }, ConsistentRead: true }),
    );
    return Item;
  }

  /** Writes a record on a condition; `false` if that does not hold. */
  async function putIf(
    key: ItemKey,
    record: object,
    ttl: number,
    condition: Pick<PutItemCommandInput, 'ConditionExpression' | 'ExpressionAttributeValues'>,
  ): Promise<boolean> {
    const write = randomBytes(TOKEN_BYTES).toString('base64url');
    try {
      await put(toAttributes({ ...record, ...key, ttl, write }), condition);
      return true;
    } catch (error) {
      if (!(error instanceof ConditionalCheckFailedException)) throw error;
      return (await get(key))?.write?.S === write;
    }
  }

  const create = (key: ItemKey, record: object, ttl: number) =>
    putIf(key, record, ttl, { ConditionExpression: IF_ABSENT });

  const replace = (key: ItemKey, record: { rev: number }, ttl: number) =>
    putIf(key, record, ttl, {
      ConditionExpression: 'rev = :read',
      ExpressionAttributeValues: { ':read': { N: String(record.rev - 1) } },
    });

  async function remove({ pk, sk }: ItemKey): Promise<void> {
    await client.send(new DeleteItemCommand({ TableName: table, Key: { pk: { S: pk }, sk: { S: sk } } }));
  }

  /** The items of a partition by `sk`, in pages as they come; no more than the limit, if it has one. */
  async function* pages(pk: string, input: Partial<QueryCommandInput> = {}): AsyncGenerator<Attributes[]> {
    const { KeyConditionExpression: range, ExpressionAttributeValues: values, ...rest } = input;
    let left = input.Limit ?? Infinity;
    let from: Attributes | undefined;
    do {
      const page = await client.send(
        new QueryCommand({
          TableName: table,
          ConsistentRead: true,
          KeyConditionExpression: range === undefined ? 'pk = :pk' : `pk = :pk AND ${range}`,
          ExpressionAttributeValues: { ...values, ':pk': { S: pk } },
          ExclusiveStartKey: from,
          ...rest,
          ...(rest.Limit !== undefined && { Limit: left }),
        }),
      );
      const items = page.Items ?? [];
      yield items;
      left -= items.length;
      from = page.LastEvaluatedKey;
    } while (from !== undefined && left > 0);
  }

  /** The same, one by one. */
  async function* query(pk: string, input?: Partial<QueryCommandInput>): AsyncGenerator<Attributes> {
    for await (const items of pages(pk, input)) yield* items;
  }

  /** A batch, and as much of its shards as is asked for. */
  async function readBatch(batchId: string, input?: Partial<QueryCommandInput>) {
    const read = await Array.fromAsync(pages(batchId, input));
    // `BATCH` comes before every shard.
    const [first, ...rest] = read.flat();
    if (first?.sk?.S !== BATCH) return undefined;
    const batch = recordOf(first) as BatchRecord;
    // If it was deleted between two pages, it is gone by now: it goes before its shards.
    const mayBeCut = read.length > 1 && rest.length < batch.shardCount;
    if (mayBeCut && !(await get(batchKey(batchId)))) return undefined;
    return { batch, shards: rest.map((item) => recordOf(item) as ShardRecord) };
  }

  return {
    // In this order a crash leaves an open item that leads nowhere, and a list item at most, which readers pass over.
    async createBatch(batch) {
      const { id, name, createdAt } = batch;
      const ttl = ttlOfBatch(batch);
      await put(toAttributes({ pk: OPEN, sk: id, ttl }));
      await create({ pk: LIST, sk: id }, { name, createdAt }, ttl);
      return create(batchKey(id), batch, ttl);
    },
    async getBatch(batchId) {
      const item = await get(batchKey(batchId));
      return item && (recordOf(item) as BatchRecord);
    },
    replaceBatch: (next) => replace(batchKey(next.id), next, ttlOfBatch(next)),

    createShard: (shard) => create(shardKey(shard.batchId, shard.shard), shard, ttlOfShard(shard)),
    async getShard(batchId, shard) {
      const item = await get(shardKey(batchId, shard));
      return item && (recordOf(item) as ShardRecord);
    },
    replaceShard: (next) => replace(shardKey(next.batchId, next.shard), next, ttlOfShard(next)),

    readBatch: (batchId, limit) => readBatch(batchId, limit === undefined ? {} : { Limit: 1 + limit }),
    // Costs as many read units, but half of the bytes and of the time that they take to be parsed.
    readProgress: (batchId) => readBatch(batchId, PROGRESS),
    async readShards(batchId, { from, limit, descending = false }) {
      const range: Partial<QueryCommandInput> = {
        KeyConditionExpression: 'sk BETWEEN :first AND :last',
        ExpressionAttributeValues: {
          ':first': { S: shardKey(batchId, descending ? 0 : from).sk },
          ':last': { S: shardKey(batchId, descending ? from : MAX_SHARD).sk },
        },
      };
      const items = query(batchId, { ...range, ScanIndexForward: !descending, Limit: limit });
      return Array.fromAsync(items, (item) => recordOf(item) as ShardRecord);
    },
    async listBatches({ limit, before }) {
      const older: Partial<QueryCommandInput> =
        before === undefined
          ? {}
          : { KeyConditionExpression: 'sk < :before', ExpressionAttributeValues: { ':before': { S: before } } };
      const items = query(LIST, { ...older, ScanIndexForward: false, Limit: limit });
      return Array.fromAsync(items, (item): BatchListItem => {
        return { id: item.sk?.S ?? '', ...(recordOf(item) as Omit<BatchListItem, 'id'>) };
      });
    },

    async listOpen() {
      const items = await Array.fromAsync(query(OPEN));
      return items.map((item) => item.sk?.S ?? '');
    },
    dropOpen: (batchId) => remove({ pk: OPEN, sk: batchId }),

    async removeBatch(batchId) {
      // Without a TTL: it goes with the work that it stands for.
      await put(toAttributes({ pk: OPEN, sk: batchId }));
      await remove(batchKey(batchId));
      await remove({ pk: LIST, sk: batchId });
      await inLanes(query(batchId), SHARDS_AT_ONCE, ({ sk }) => remove({ pk: batchId, sk: sk?.S ?? '' }));
      const helpers = helpersOf(batchId);
      await inLanes(query(helpers), SHARDS_AT_ONCE, ({ sk }) => remove({ pk: helpers, sk: sk?.S ?? '' }));
    },

    createHelper: (helper) => create(helperKey(helper.batchId, helper.name), helper, ttlOfHelper(helper)),
    async getHelper(batchId, name) {
      const item = await get(helperKey(batchId, name));
      return item && (recordOf(item) as HelperRecord);
    },
    replaceHelper: (next) => replace(helperKey(next.batchId, next.name), next, ttlOfHelper(next)),
    removeHelper: (batchId, name) => remove(helperKey(batchId, name)),

    async getClaim(key) {
      const item = await get(claimKey(key));
      return item && (recordOf(item) as ClaimRecord);
    },
    putClaim(next) {
      const key = claimKey(next.key);
      return next.rev === 1 ? create(key, next, ttlOfClaim(next)) : replace(key, next, ttlOfClaim(next));
    },
  };
}

/** What is in an item for the table's sake. */
const ENVELOPE: ReadonlySet<string> = new Set(['pk', 'sk', 'ttl', 'write']);

/** An item's record; the caller knows of which kind it is. */
function recordOf(item: Attributes): object {
  return fromAttributes(item, ENVELOPE);
}

/** A query for these attributes alone, by aliases: many of the names are reserved words. */
function projectionOf(names: readonly string[]): Partial<QueryCommandInput> {
  const aliases = names.map((name, i) => [`#${i}`, name] as const);
  return {
    ProjectionExpression: aliases.map(([alias]) => alias).join(),
    ExpressionAttributeNames: Object.fromEntries(aliases),
  };
}
