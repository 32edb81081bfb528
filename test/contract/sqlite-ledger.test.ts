import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createSqliteLedger } from '../../adapters/sqlite/ledger.ts';
import { tempFolder } from '../helpers/temp-folder.ts';
import { startThread, untilDone } from './fixtures/run.ts';
import { describeLedger } from './ledger-contract.ts';
import { batchRecord, claimRecord, shardRecord } from './records.ts';

async function freshPath(): Promise<string> {
  return join(await tempFolder(), 'ledger.sqlite');
}

function openLedger(path: string) {
  const ledger = createSqliteLedger(path);
  onTestFinished(() => ledger.close());
  return ledger;
}

describeLedger('SQLite', async () => openLedger(await freshPath()));

test('a ledger opened again holds what was written', async () => {
  const path = await freshPath();
  const batch = batchRecord();
  const first = createSqliteLedger(path);
  await first.createBatch(batch);
  await first.createShard(shardRecord(batch.id, 0));
  first.close();
  first.close();
  await expect(first.getBatch(batch.id)).rejects.toThrow();
  expect(await openLedger(path).readBatch(batch.id)).toEqual({ batch, shards: [shardRecord(batch.id, 0)] });
});

test('what one connection was answered, another one reads', async () => {
  const path = await freshPath();
  const [one, other] = [openLedger(path), openLedger(path)];
  const shard = shardRecord('b', 0);
  await one.createShard(shard);
  expect(await other.replaceShard({ ...shard, rev: 2 })).toBe(true);
  expect(await one.replaceShard({ ...shard, rev: 2 })).toBe(false);
  expect(await one.getShard('b', 0)).toEqual({ ...shard, rev: 2 });
});

test('threads that open a new ledger at the same moment all get it', async () => {
  const folder = await tempFolder();
  const paths = Array.from({ length: 60 }, (_, n) => join(folder, `${n}.sqlite`));
  const gate = new SharedArrayBuffer(8);
  const threads = [1, 2, 3, 4].map(() => startThread('open-together.ts', { paths, gate, threads: 4 }));
  expect(await Promise.all(threads.map(untilDone))).toEqual([[60], [60], [60], [60]]);
});

test('threads that replace one record at the same time lose no update', async () => {
  const path = await freshPath();
  const threads = [1, 2, 3].map(() => startThread('count-up.ts', { path, increments: 50 }));
  await Promise.all(threads.map(untilDone));
  expect(await openLedger(path).getShard('counted', 0)).toMatchObject({ done: 150, rev: 151 });
});

test('claims that have expired go when another one is made', async () => {
  const ledger = openLedger(await freshPath());
  const old = claimRecord('old');
  await ledger.putClaim(old);
  await ledger.putClaim(claimRecord('sooner', { claimedAt: old.expiresAt - 1 }));
  expect(await ledger.getClaim('old')).toEqual(old);
  await ledger.putClaim(claimRecord('later', { claimedAt: old.expiresAt }));
  expect(await ledger.getClaim('old')).toBeUndefined();
  expect(await ledger.getClaim('sooner')).toBeDefined();
});
