import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { closeBatch } from '../../../core/batch/close.ts';
import { cancelBatch, pauseBatch } from '../../../core/batch/control.ts';
import type { BatchStatus } from '../../../core/batch/status.ts';
import { waitForBatch, type WaitFor } from '../../../core/batch/wait.ts';
import { UnknownBatchError } from '../../../core/model/errors.ts';
import type { Outcome } from '../../../core/model/outcome.ts';
import { outcome, settle } from './outcomes.ts';
import { createService, submit, urlsOf } from './service.ts';

const TIMEOUT_MS = 20_000;

/** A wait under way, which a test looks at and moves on. */
async function startWait(condition: Partial<WaitFor> = {}, signal?: AbortSignal) {
  const service = await createService();
  const id = await submit(service, urlsOf(6));
  let reads = 0;
  const { ledger } = service;
  service.ledger = {
    ...ledger,
    readProgress: (batchId) => {
      reads += 1;
      return ledger.readProgress(batchId);
    },
  };
  const full: WaitFor = { returnWhen: 'ALL_COMPLETED', timeoutMs: TIMEOUT_MS, ...condition };
  let status: BatchStatus | undefined;
  let error: unknown;
  const ended = waitForBatch(service, id, full, signal).then(
    (answer) => (status = answer),
    (reason: unknown) => (error = reason),
  );
  /** Waits until the wait sleeps or is over. */
  async function still(): Promise<void> {
    while (service.clock.pending() === 0 && status === undefined && error === undefined) await setImmediate();
  }
  await still();
  return {
    service,
    id,
    ended,
    still,
    reads: () => reads,
    /** Lets the longest pause pass; answers the status if the wait is over. */
    async next(): Promise<BatchStatus | undefined> {
      await service.clock.advance(3000);
      await still();
      return status;
    },
    get error() {
      return error;
    },
  };
}

const settled = (state: Outcome['state']) => [outcome(1, state)];

describe('a wait', () => {
  test.each([
    ['FIRST_COMPLETED', 'done'],
    ['FIRST_COMPLETED', 'failed'],
    ['FIRST_COMPLETED', 'skipped'],
    ['FIRST_EXCEPTION', 'failed'],
  ] as const)('for %s ends with the first entry that is %s', async (returnWhen, state) => {
    const wait = await startWait({ returnWhen });
    expect(await wait.next()).toBeUndefined();
    await settle(wait.service, wait.id, 0, settled(state));
    expect(await wait.next()).toMatchObject({ state: 'running', pending: 5 });
  });

  test.each([
    ['FIRST_EXCEPTION', 'done'],
    ['FIRST_EXCEPTION', 'skipped'],
    ['ALL_COMPLETED', 'done'],
    ['ALL_COMPLETED', 'failed'],
  ] as const)('for %s goes on with the first entry that is %s', async (returnWhen, state) => {
    const wait = await startWait({ returnWhen });
    await settle(wait.service, wait.id, 0, settled(state));
    expect(await wait.next()).toBeUndefined();
  });

  test.each(['ALL_COMPLETED', 'FIRST_COMPLETED', 'FIRST_EXCEPTION'] as const)(
    'for %s ends when the batch is closed',
    async (returnWhen) => {
      const wait = await startWait({ returnWhen });
      await cancelBatch(wait.service, wait.id);
      expect(await wait.next()).toMatchObject({ state: 'cancelled', cancelled: 6 });
    },
  );

  test('for all goes on while a closing is not done', async () => {
    const wait = await startWait();
    for (const shard of [0, 1, 2]) {
      const outcomes = [outcome(2 * shard + 1, 'done'), outcome(2 * shard + 2, 'done')];
      await settle(wait.service, wait.id, shard, outcomes, { finishedAt: 1 });
    }
    expect(await wait.next()).toBeUndefined();
    await closeBatch(wait.service, wait.id);
    expect(await wait.next()).toMatchObject({ state: 'finished', done: 6 });
  });

  test('for a number of outcomes ends with it, or with its other condition', async () => {
    const wait = await startWait({ settledAtLeast: 2 });
    await settle(wait.service, wait.id, 0, settled('done'));
    expect(await wait.next()).toBeUndefined();
    await settle(wait.service, wait.id, 0, [outcome(2, 'failed')]);
    expect(await wait.next()).toMatchObject({ pending: 4 });

    const sooner = await startWait({ settledAtLeast: 2, returnWhen: 'FIRST_COMPLETED' });
    await settle(sooner.service, sooner.id, 0, settled('done'));
    expect(await sooner.next()).toMatchObject({ pending: 5 });
  });

  test('ends with the status when its time is up, and changes nothing', async () => {
    const wait = await startWait();
    const before = await wait.service.ledger.readBatch(wait.id);
    await wait.service.clock.advance(TIMEOUT_MS - 1);
    expect(wait.service.clock.pending()).toBe(1);
    await wait.service.clock.advance(1);
    expect(await wait.ended).toMatchObject({ state: 'running', pending: 6 });
    expect(await wait.service.ledger.readBatch(wait.id)).toEqual(before);
  });

  test('without time looks once', async () => {
    const service = await createService();
    const id = await submit(service, urlsOf(1));
    const status = await waitForBatch(service, id, { returnWhen: 'ALL_COMPLETED', timeoutMs: 0 });
    expect(status).toMatchObject({ state: 'running' });
  });

  test('goes on while the batch is paused', async () => {
    const wait = await startWait({ returnWhen: 'FIRST_COMPLETED' });
    await pauseBatch(wait.service, wait.id);
    expect(await wait.next()).toBeUndefined();
  });

  test('asks the ledger about once a second at first, and then less often', async () => {
    const wait = await startWait({ timeoutMs: 25_000 });
    expect(wait.reads()).toBe(1);
    await wait.service.clock.advance(1000);
    await wait.still();
    expect(wait.reads()).toBe(2);
    for (let i = 0; i < 24; i++) {
      await wait.service.clock.advance(1000);
      await wait.still();
    }
    await wait.ended;
    expect(wait.reads()).toBeGreaterThan(8);
    expect(wait.reads()).toBeLessThan(16);
  });

  test('that nobody waits for any more ends at once and asks no more', async () => {
    const gone = new AbortController();
    const wait = await startWait({}, gone.signal);
    expect(await wait.next()).toBeUndefined();
    const reads = wait.reads();
    gone.abort(new Error('gone'));
    await wait.ended;
    expect(wait.error).toEqual(new Error('gone'));
    await wait.service.clock.advance(TIMEOUT_MS);
    expect(wait.reads()).toBe(reads);
  });

  test('for a batch that nobody knows is an error', async () => {
    const wait = waitForBatch(await createService(), 'b', { returnWhen: 'ALL_COMPLETED', timeoutMs: TIMEOUT_MS });
    await expect(wait).rejects.toThrow(UnknownBatchError);
  });
});
