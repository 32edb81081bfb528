import { readdir } from 'node:fs/promises';
import { expect, onTestFinished, test } from 'vitest';
import { createFileStore, removeStale } from '../../adapters/files/file-store.ts';
import { createSqliteLedger } from '../../adapters/sqlite/ledger.ts';
import { createSqliteTickets } from '../../adapters/sqlite/tickets.ts';
import { systemClock } from '../../adapters/system-clock.ts';
import { tempFolder } from '../helpers/temp-folder.ts';
import { bodyOf, dataFolders, LANES } from './fixtures/data-folder.ts';
import { killAfter, startProcess } from './fixtures/run.ts';

test.each([5, 20, 41])('what a process had been answered is there after it is killed, %i steps in', async (count) => {
  const folder = await tempFolder();
  const steps = await killAfter(startProcess('write-until-killed.ts', folder), count);
  const answered = steps.map((line) => line.split(' ').map(Number) as [lane: number, step: number]);
  const last = LANES.map((lane) => Math.max(0, ...answered.filter(([of]) => of === lane).map(([, step]) => step)));

  const { files, database } = dataFolders(folder);
  await removeStale(files.tempRoot);
  const store = createFileStore(files);
  const ledger = createSqliteLedger(database);
  const tickets = createSqliteTickets(database, systemClock);
  onTestFinished(() => {
    ledger.close();
    tickets.close();
  });
  expect(await readdir(files.tempRoot)).toEqual([]);

  const received = await tickets.receive(100_000, 60_000);
  const sent = new Set(received.map(({ ticket }) => `${ticket.batchId} ${ticket.shard}`));
  for (const [lane, step] of answered) {
    expect((await store.get(`new/${lane}/${step}`))?.equals(bodyOf(lane, step))).toBe(true);
    expect(sent).toContain(`lane ${lane} ${step}`);
  }
  for (const lane of LANES) {
    expect((await ledger.getShard('b', lane))?.done ?? 0).toBeGreaterThanOrEqual(last[lane] ?? 0);
    if (last[lane] === 0) continue;
    // The next step may or may not have been stored; its bytes and its headers belong together in either case.
    for (const key of [`replaced/${lane}`, `in-parts/${lane}`]) {
      const step = Number((await store.head(key))?.metadata?.step);
      expect(step - (last[lane] ?? 0)).toBeOneOf([0, 1]);
      expect((await store.get(key))?.equals(bodyOf(lane, step))).toBe(true);
    }
  }
  for await (const key of store.list('new/')) {
    const [, lane, step] = key.split('/').map(Number);
    expect((await store.get(key))?.equals(bodyOf(lane ?? 0, step ?? 0)), key).toBe(true);
  }
});
