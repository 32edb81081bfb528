import { expect, test } from 'vitest';
import { deleteBatch } from '../../core/batch/delete.ts';
import type { PlanningService } from '../../core/batch/service.ts';
import { submitBatch } from '../../core/batch/submit.ts';
import { sweep } from '../../core/batch/sweep.ts';
import type { Job } from '../../core/download/downloader.ts';
import { LEASE_MS, TICKET_LOST_MS } from '../../core/model/limits.ts';
import { runTurn } from '../../core/turn/turn.ts';
import { createFleet } from './fleet.ts';

/** Counter-examples that the runs found, each as short as it can be told. */

const entries = (host: string, n: number) => Array.from({ length: n }, (_, i) => `https://${host}.test/${i}.bin`);
const items = (urls: string[]) => urls.map((value, i) => ({ line: i + 1, value }));
const flush = () => new Promise<void>((resolve) => setImmediate(resolve));

test('a worker whose store hangs lets go of its connections before its lease ends', async () => {
  const { scheduler, servers, service, run } = createFleet(() => Promise.reject(new Error('not used')));
  await run('submit', (host) =>
    submitBatch(host, { items: items([...entries('a', 9), ...entries('b', 9)]), options: {}, headers: {} }),
  );
  const delivery = servers.deliver(false);
  if (!delivery) throw new Error('There is no ticket.');

  let open = 0;
  let reads = 0;
  let first = true;
  scheduler.spawn('worker', (actor) => {
    const deps = service(actor);
    // The first read brings the entries at the cursor; the second is for what was set aside, and never ends.
    const get: typeof deps.state.get = (...args) =>
      ++reads > 1 ? new Promise(() => undefined) : deps.state.get(...args);
    const download = async ({ signal }: { signal: AbortSignal }) => {
      open += 1;
      try {
        // One ends soon, so that the turn reads on; the others would take hours.
        const ms = first ? 100 : 3_600_000;
        first = false;
        await scheduler.sleep(actor, ms, signal);
        return { state: 'done' as const, bytes: 0 };
      } finally {
        open -= 1;
      }
    };
    const bounds = { deadline: Infinity, stop: new AbortController().signal };
    return runTurn({ ...deps, state: { ...deps.state, get }, download }, delivery, bounds);
  });

  const until = scheduler.now + LEASE_MS;
  const settle = async () => {
    await flush();
    while (scheduler.step()) await flush();
  };
  await settle();
  await scheduler.advance(1000, settle);
  expect(reads).toBe(2);
  expect(open).toBeGreaterThan(0);
  await scheduler.advance(until - scheduler.now, settle);
  expect(open).toBe(0);
});

test('a lost ticket is replaced although other tickets keep the queue busy', async () => {
  const { scheduler, servers, run } = createFleet(() => Promise.reject(new Error('not used')));
  const start = (host: string) =>
    run('submit', (service) => submitBatch(service, { items: items(entries(host, 1)), options: {}, headers: {} }));
  const lost = await start('lost');
  servers.queue = [];
  await start('busy');

  let sweeps = 0;
  while (!servers.queue.some((message) => message.batchId === lost)) {
    expect(++sweeps * 600_000).toBeLessThan(TICKET_LOST_MS + 3_600_000);
    await scheduler.advance(600_000, flush);
    await run('sweeper', sweep);
  }
  expect(servers.queue.filter((message) => message.batchId === lost)).toHaveLength(1);
});

test('a worker that thaws after its lease follows no redirect', async () => {
  const opened: string[] = [];
  const { scheduler, servers, service, run } = createFleet(() => Promise.reject(new Error('not used')));
  await run('submit', (host) => submitBatch(host, { items: items(entries('a', 1)), options: {}, headers: {} }));
  const delivery = servers.deliver(false);
  if (!delivery) throw new Error('There is no ticket.');

  const settle = async () => {
    await flush();
    while (scheduler.step()) await flush();
  };
  const worker = scheduler.spawn('worker', (actor) => {
    const download = async ({ signal, enterHost }: Pick<Job, 'signal' | 'enterHost'>) => {
      await scheduler.sleep(actor, LEASE_MS + 10_000, signal);
      await enterHost('https://elsewhere.test');
      opened.push('https://elsewhere.test');
      return { state: 'done' as const, bytes: 0 };
    };
    const bounds = { deadline: Infinity, stop: new AbortController().signal };
    return runTurn({ ...service(actor), download }, delivery, bounds);
  });
  await settle();
  // By now the lease was renewed and its alarm set again: it rings after the response has come.
  await scheduler.advance(LEASE_MS - 10_000, settle);
  expect(worker.alive).toBe(true);
  scheduler.freeze(worker, 2 * LEASE_MS);
  await scheduler.advance(2 * LEASE_MS + 1000, settle);
  expect(opened).toEqual([]);
});

test('a deletion that dies with its removal still on the wire is gone on with, not taken for an unfinished closing', async () => {
  const fleet = createFleet((_, __, store) => store());
  const { servers, run } = fleet;
  const id = await fleet.work(entries('a', 3));
  const dying = (host: PlanningService) => {
    // The item is open again, and no more is heard of it.
    const removeBatch = () => {
      servers.open.add(id);
      return Promise.reject(new Error('dead'));
    };
    return expect(deleteBatch({ ...host, ledger: { ...host.ledger, removeBatch } }, id)).rejects.toThrow('dead');
  };
  await run('delete', dying);
  await run('sweeper', sweep);
  expect([...servers.batches.keys(), ...servers.shards.keys(), ...servers.state.keys()]).toEqual([]);
  expect(servers.open.size).toBe(0);
});
