import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createLog } from '../../../local/log.ts';
import { createWorkerPool, TURNS_PER_THREAD } from '../../../local/worker-pool.ts';
import type { WorkerPool } from '../../../local/worker-pool.ts';
import type { Delivery } from '../../../core/ports/tickets.ts';
import { createManualClock } from '../../helpers/manual-clock.ts';
import { tempFolder } from '../../helpers/temp-folder.ts';

const SCRIPT = new URL('pool-thread.ts', import.meta.url);

function createHarness() {
  const clock = createManualClock();
  const lines: string[] = [];
  const log = createLog({ write: (text) => lines.push(text) }, () => clock.now());
  const start = (workers: number, script = SCRIPT) => {
    const folders = { root: '', files: '', state: '' };
    const settings = { role: 'worker' as const, folders, workers, allowedNetworks: [], notify: false };
    return createWorkerPool({ script, settings, clock, log, onMessage: () => undefined });
  };
  return { clock, lines, start };
}

async function startPool(workers: number) {
  const { clock, lines, start } = createHarness();
  const pool = await start(workers);
  onTestFinished(async () => {
    const stopped = pool.stop(0);
    await clock.advance(0);
    await stopped;
  });
  return { clock, lines, pool };
}

let deliveries = 0;
function delivery(batchId: string): Delivery {
  deliveries += 1;
  return { ticket: { batchId, shard: 0 }, messageId: String(deliveries), receipt: String(deliveries), receiveCount: 1 };
}

/** Waits for what other threads bring about. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await setImmediate();
}

describe('the worker threads', () => {
  it('take many turns each, so that batches that take long leave room', async () => {
    const { pool } = await startPool(2);
    const turns = 2 * TURNS_PER_THREAD;
    expect(pool.free()).toBe(turns);
    const waiting = Array.from({ length: turns - 1 }, () => pool.run(delivery('wait')));
    expect(pool.free()).toBe(1);
    expect(await pool.run(delivery('end'))).toBe('acknowledge');
    expect(pool.free()).toBe(1);
    await pool.stop(60_000);
    expect(await Promise.all(waiting)).toEqual(waiting.map(() => 'keep'));
  });

  it('report a turn that failed and go on', async () => {
    const { pool } = await startPool(1);
    await expect(pool.run(delivery('fail'))).rejects.toThrow('the ledger is gone');
    expect(await pool.run(delivery('end'))).toBe('acknowledge');
  });

  it('are replaced when one dies; its turns fail, those of others go on, and the log says why', async () => {
    const { clock, lines, pool } = await startPool(2);
    const first = pool.run(delivery('wait'));
    const second = pool.run(delivery('wait'));
    const third = pool.run(delivery('die')); // in the first one's thread
    const died = 'A worker thread ended with code 1.';
    await Promise.all([expect(first).rejects.toThrow(died), expect(third).rejects.toThrow(died)]);
    await until(() => lines.length > 0);
    expect(lines.join('')).toMatch(/error a worker thread died.*: Error: out of luck/);

    expect(pool.free()).toBe(TURNS_PER_THREAD - 1);
    await until(() => clock.pending() > 0);
    await clock.advance(1000);
    await until(() => pool.free() === 2 * TURNS_PER_THREAD - 1);
    expect(await pool.run(delivery('end'))).toBe('acknowledge');
    await pool.stop(60_000);
    expect(await second).toBe('keep');
  });

  it('that cannot start fail the start', async () => {
    const script = join(await tempFolder(), 'broken.ts');
    await writeFile(script, 'throw new Error("no such database");');
    const error = await createHarness()
      .start(2, pathToFileURL(script))
      .catch((error: unknown) => error);
    expect(error).toMatchObject({ message: 'A worker thread ended with code 1.' });
    expect((error as Error).cause).toMatchObject({ message: 'no such database' });
  });

  it('are ended by force, and that is said, when their turns do not end in time', async () => {
    const { clock, lines, pool } = await startPool(1);
    const stuck = expectDeath(pool);
    const stopped = pool.stop(7000);
    await until(() => clock.pending() > 0);
    await clock.advance(6999);
    expect(lines).toEqual([]);
    await clock.advance(1);
    await stopped;
    await stuck;
    expect(lines.join('')).toContain('some turns did not end in time');
  });
});

async function expectDeath(pool: WorkerPool): Promise<void> {
  await expect(pool.run(delivery('ignore'))).rejects.toThrow('A worker thread ended with code 1.');
}
