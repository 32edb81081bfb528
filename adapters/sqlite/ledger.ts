import type { SQLOutputValue } from 'node:sqlite';
import type { BatchRecord, ClaimRecord, HelperRecord, ShardRecord } from '../../core/model/records.ts';
import type { BatchListItem, Ledger } from '../../core/ports/ledger.ts';
import { atomically, closing, openDatabase, type Closeable } from './database.ts';

/** Records are JSON. A batch's row is its place in the list, too. */
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS batches (
    id TEXT PRIMARY KEY,
    rev INTEGER NOT NULL,
    record TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS open_batches (
    id TEXT PRIMARY KEY
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS shards (
    batch_id TEXT NOT NULL,
    shard INTEGER NOT NULL,
    rev INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (batch_id, shard)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS helpers (
    batch_id TEXT NOT NULL,
    name TEXT NOT NULL,
    rev INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (batch_id, name)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS claims (
    key TEXT PRIMARY KEY,
    rev INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    record TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS claims_by_time ON claims (expires_at);
`;

const AFTER_EVERY_ID = '\u{10ffff}';

/** A ledger in an SQLite file. Each thread makes its own; any number of them share a file. */
export function createSqliteLedger(path: string): Ledger & Closeable {
  const database = openDatabase(path, SCHEMA);
  const insertBatch = database.prepare('INSERT INTO batches (id, rev, record) VALUES (?, ?, ?) ON CONFLICT DO NOTHING');
  const selectBatch = database.prepare('SELECT record FROM batches WHERE id = ?');
  const updateBatch = database.prepare('UPDATE batches SET rev = ?, record = ? WHERE id = ? AND rev = ?');
  const insertShard = database.prepare(
    'INSERT INTO shards (batch_id, shard, rev, record) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
  );
  const selectShard = database.prepare('SELECT record FROM shards WHERE batch_id = ? AND shard = ?');
  const updateShard = database.prepare(
    'UPDATE shards SET rev = ?, record = ? WHERE batch_id = ? AND shard = ? AND rev = ?',
  );
  // One statement, so that the batch and its shards are of one moment.
  const selectAll = database.prepare(`
    SELECT NULL AS shard, record FROM batches WHERE id = :id
    UNION ALL SELECT shard, record FROM shards WHERE batch_id = :id
    ORDER BY shard NULLS FIRST
    LIMIT :rows
  `);
  const selectUp = database.prepare(
    'SELECT record FROM shards WHERE batch_id = ? AND shard >= ? ORDER BY shard LIMIT ?',
  );
  const selectDown = database.prepare(
    'SELECT record FROM shards WHERE batch_id = ? AND shard <= ? ORDER BY shard DESC LIMIT ?',
  );
  const selectPage = database.prepare(`
    SELECT id, record ->> 'name' AS name, record ->> 'createdAt' AS createdAt
    FROM batches WHERE id < :before ORDER BY id DESC LIMIT :limit
  `);
  const insertOpen = database.prepare('INSERT INTO open_batches (id) VALUES (?) ON CONFLICT DO NOTHING');
  const selectOpen = database.prepare('SELECT id FROM open_batches ORDER BY id');
  const deleteOpen = database.prepare('DELETE FROM open_batches WHERE id = ?');
  const deleteBatch = database.prepare('DELETE FROM batches WHERE id = ?');
  const deleteShards = database.prepare('DELETE FROM shards WHERE batch_id = ?');
  const insertHelper = database.prepare(
    'INSERT INTO helpers (batch_id, name, rev, record) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
  );
  const selectHelper = database.prepare('SELECT record FROM helpers WHERE batch_id = ? AND name = ?');
  const updateHelper = database.prepare(
    'UPDATE helpers SET rev = ?, record = ? WHERE batch_id = ? AND name = ? AND rev = ?',
  );
  const deleteHelper = database.prepare('DELETE FROM helpers WHERE batch_id = ? AND name = ?');
  const deleteHelpers = database.prepare('DELETE FROM helpers WHERE batch_id = ?');
  const selectClaim = database.prepare('SELECT record FROM claims WHERE key = ?');
  const insertClaim = database.prepare(
    'INSERT INTO claims (key, rev, expires_at, record) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
  );
  const updateClaim = database.prepare(
    'UPDATE claims SET rev = ?, expires_at = ?, record = ? WHERE key = ? AND rev = ?',
  );
  const deleteExpired = database.prepare('DELETE FROM claims WHERE expires_at <= ?');

  function putClaim(next: ClaimRecord): boolean {
    const { key, rev, claimedAt, expiresAt } = next;
    const record = JSON.stringify(next);
    if (rev > 1) return updateClaim.run(rev, expiresAt, record, key, rev - 1).changes === 1;
    return atomically(database, () => {
      // Who claims a new key takes away the old ones, which nobody else would.
      deleteExpired.run(claimedAt);
      return insertClaim.run(key, rev, expiresAt, record).changes === 1;
    });
  }

  /** With its first `limit` shards, or all of them. */
  function readBatch(batchId: string, limit?: number) {
    const [first, ...rest] = selectAll.all({ id: batchId, rows: limit === undefined ? -1 : 1 + limit });
    if (first?.shard !== null) return undefined;
    return { batch: batchOf(first), shards: rest.map(shardOf) };
  }

  return {
    createBatch: (batch) =>
      Promise.try(() =>
        atomically(database, () => {
          insertOpen.run(batch.id);
          return insertBatch.run(batch.id, batch.rev, JSON.stringify(batch)).changes === 1;
        }),
      ),
    getBatch: (batchId) =>
      Promise.try(() => {
        const row = selectBatch.get(batchId);
        return row && batchOf(row);
      }),
    replaceBatch: (next) =>
      Promise.try(() => updateBatch.run(next.rev, JSON.stringify(next), next.id, next.rev - 1).changes === 1),

    createShard: (shard) =>
      Promise.try(() => insertShard.run(shard.batchId, shard.shard, shard.rev, JSON.stringify(shard)).changes === 1),
    getShard: (batchId, shard) =>
      Promise.try(() => {
        const row = selectShard.get(batchId, shard);
        return row && shardOf(row);
      }),
    replaceShard: (next) =>
      Promise.try(
        () => updateShard.run(next.rev, JSON.stringify(next), next.batchId, next.shard, next.rev - 1).changes === 1,
      ),

    readBatch: (batchId, limit) => Promise.try(() => readBatch(batchId, limit)),
    readProgress: (batchId) => Promise.try(() => readBatch(batchId)),
    readShards: (batchId, { from, limit, descending }) =>
      Promise.try(() => (descending ? selectDown : selectUp).all(batchId, from, limit).map(shardOf)),
    listBatches: ({ limit, before = AFTER_EVERY_ID }) =>
      Promise.try(() => (selectPage.all({ limit, before }) as unknown as ListRow[]).map(toListItem)),

    listOpen: () => Promise.try(() => selectOpen.all().map(({ id }) => String(id))),
    dropOpen: (batchId) => Promise.try(() => void deleteOpen.run(batchId)),

    removeBatch: (batchId) =>
      Promise.try(() =>
        atomically(database, () => {
          insertOpen.run(batchId);
          deleteBatch.run(batchId);
          deleteShards.run(batchId);
          deleteHelpers.run(batchId);
        }),
      ),

    createHelper: (helper) =>
      Promise.try(
        () => insertHelper.run(helper.batchId, helper.name, helper.rev, JSON.stringify(helper)).changes === 1,
      ),
    getHelper: (batchId, name) =>
      Promise.try(() => {
        const row = selectHelper.get(batchId, name);
        return row && (JSON.parse(String(row.record)) as HelperRecord);
      }),
    replaceHelper: (next) =>
      Promise.try(
        () => updateHelper.run(next.rev, JSON.stringify(next), next.batchId, next.name, next.rev - 1).changes === 1,
      ),
    removeHelper: (batchId, name) => Promise.try(() => void deleteHelper.run(batchId, name)),

    getClaim: (key) =>
      Promise.try(() => {
        const row = selectClaim.get(key);
        return row && (JSON.parse(String(row.record)) as ClaimRecord);
      }),
    putClaim: (next) => Promise.try(() => putClaim(next)),

    ...closing(database),
  };
}

type Row = Record<string, SQLOutputValue>;

function batchOf(row: Row): BatchRecord {
  return JSON.parse(String(row.record)) as BatchRecord;
}

function shardOf(row: Row): ShardRecord {
  return JSON.parse(String(row.record)) as ShardRecord;
}

interface ListRow {
  id: string;
  name: string | null;
  createdAt: number;
}

function toListItem({ id, name, createdAt }: ListRow): BatchListItem {
  return name === null ? { id, createdAt } : { id, name, createdAt };
}
