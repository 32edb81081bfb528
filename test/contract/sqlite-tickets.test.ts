import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createSqliteTickets } from '../../adapters/sqlite/tickets.ts';
import { systemClock } from '../../adapters/system-clock.ts';
import { createManualClock } from '../helpers/manual-clock.ts';
import { tempFolder } from '../helpers/temp-folder.ts';
import { startThread, untilDone } from './fixtures/run.ts';
import { describeTickets } from './tickets-contract.ts';

async function freshPath(): Promise<string> {
  return join(await tempFolder(), 'tickets.sqlite');
}

function openTickets(path: string, clock = createManualClock()) {
  const tickets = createSqliteTickets(path, clock);
  onTestFinished(() => tickets.close());
  return { tickets, advance: (ms: number) => clock.advance(ms) };
}

describeTickets('SQLite', async () => openTickets(await freshPath()));

test('a ticket comes again at its time, not a millisecond before', async () => {
  const { tickets, advance } = openTickets(await freshPath());
  await tickets.send([{ batchId: 'b', shard: 0 }]);
  await tickets.receive(1, 1000);
  await advance(999);
  expect(await tickets.hasVisible()).toBe(false);
  expect(await tickets.receive(1, 1000)).toEqual([]);
  await advance(1);
  expect(await tickets.receive(1, 1000)).toHaveLength(1);
});

test('tickets that have waited longest come first', async () => {
  const { tickets, advance } = openTickets(await freshPath());
  for (const shard of [2, 0, 1]) {
    await tickets.send([{ batchId: 'b', shard }]);
    await advance(10);
  }
  expect((await tickets.receive(2, 1000)).map(({ ticket }) => ticket.shard).sort()).toEqual([0, 2]);
});

test('a stale receipt changes no visibility, and one that never was is no error', async () => {
  const { tickets, advance } = openTickets(await freshPath());
  await tickets.send([{ batchId: 'b', shard: 0 }]);
  const [stale] = await tickets.receive(1, 1000);
  await advance(1000);
  await tickets.receive(1, 60_000);
  await tickets.changeVisibility(stale?.receipt ?? '', 0);
  await tickets.changeVisibility('nonsense', 0);
  await tickets.acknowledge('nonsense');
  expect(await tickets.hasVisible()).toBe(false);
});

test('tickets outlive the process: a queue opened again has them, hidden ones still hidden', async () => {
  const path = await freshPath();
  const clock = createManualClock();
  const before = createSqliteTickets(path, clock);
  await before.send([
    { batchId: 'b', shard: 0 },
    { batchId: 'b', shard: 1 },
  ]);
  const [taken] = await before.receive(1, 60_000);
  before.close();
  const { tickets } = openTickets(path, clock);
  expect(await tickets.receive(2, 60_000)).toHaveLength(1);
  await tickets.acknowledge(taken?.receipt ?? '');
  await clock.advance(60_000);
  expect(await tickets.receive(2, 60_000)).toMatchObject([{ receiveCount: 2 }]);
});

test('threads that receive from one queue never take the same ticket', async () => {
  const path = await freshPath();
  const tickets = createSqliteTickets(path, systemClock);
  onTestFinished(() => tickets.close());
  const shards = Array.from({ length: 300 }, (_, shard) => shard);
  await tickets.send(shards.map((shard) => ({ batchId: 'b', shard })));
  const threads = [1, 2, 3].map(() => startThread('take-tickets.ts', path));
  const taken = (await Promise.all(threads.map(untilDone))).flat() as number[];
  expect(taken.sort((a, b) => a - b)).toEqual(shards);
});
