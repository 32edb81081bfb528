import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { closeBatch } from '../../../core/batch/close.ts';
import { cancelBatch } from '../../../core/batch/control.ts';
import { batchStatus, listBatches } from '../../../core/batch/status.ts';
import { UnknownBatchError } from '../../../core/model/errors.ts';
import type { Outcome } from '../../../core/model/outcome.ts';
import { changeShard, outcome, settle } from './outcomes.ts';
import { createService, dyingAt, submit, urlsOf } from './service.ts';

const URLS = [...urlsOf(6, 'a.example'), ...urlsOf(6, 'b.example'), 'https://c.example/1.jpg'];

describe('the status of a batch', () => {
  test('adds up to its total at every moment, and none of its counts goes back', async () => {
    const ending = fc.constantFrom<Outcome['state']>('done', 'failed', 'skipped');
    const step = fc.record({ shard: fc.nat(2), endings: fc.array(ending, { minLength: 1, maxLength: 3 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 8 }), fc.boolean(), async (steps, cancel) => {
        const service = await createService();
        const id = await submit(service, URLS);
        const left = [6, 6, 1];
        let before = await batchStatus(service, id);
        const check = async () => {
          const now = await batchStatus(service, id);
          const { total, done, failed, skipped, cancelled, pending } = now;
          expect(total).toBe(13);
          expect(done + failed + skipped + cancelled + pending).toBe(total);
          expect(pending).toBeGreaterThanOrEqual(0);
          for (const count of ['done', 'failed', 'skipped', 'cancelled', 'bytes'] as const) {
            expect(now[count]).toBeGreaterThanOrEqual(before[count]);
          }
          before = now;
        };
        for (const { shard, endings } of steps) {
          const some = endings.slice(0, left[shard]);
          left[shard] = (left[shard] ?? 0) - some.length;
          if (some.length > 0)
            await settle(
              service,
              id,
              shard,
              some.map((state, i) => outcome(i, state)),
            );
          await check();
        }
        if (cancel) await cancelBatch(service, id);
        await check();
        if (cancel) expect(before.pending).toBe(0);
      }),
      { numRuns: 15 },
    );
  });

  test('tells how each entry ended, and why entries failed', async () => {
    const service = await createService();
    const id = await submit(service, URLS, { name: 'cats' });
    await settle(service, id, 0, [outcome(1, 'done', { bytes: 7 }), outcome(2, 'failed')], { retrying: 3 });
    await settle(service, id, 1, [outcome(7, 'skipped'), outcome(8, 'failed', { code: 'TOO_LARGE' })]);
    expect(await batchStatus(service, id)).toMatchObject({
      id,
      name: 'cats',
      state: 'running',
      total: 13,
      done: 1,
      skipped: 1,
      failed: 2,
      pending: 9,
      retrying: 3,
      bytes: 7,
      failures: { NOT_FOUND: 1, TOO_LARGE: 1 },
      shards: { total: 3, finished: 0, working: 0 },
    });
  });

  test('counts a shard as working while its lease lasts', async () => {
    const service = await createService();
    const id = await submit(service, URLS);
    const leaseUntil = service.clock.now() + 1000;
    await changeShard(service, id, 0, { owner: { ticket: 't', turn: 'u' }, leaseUntil });
    expect((await batchStatus(service, id)).shards).toEqual({ total: 3, finished: 0, working: 1 });
    await service.clock.advance(1000);
    expect((await batchStatus(service, id)).shards).toEqual({ total: 3, finished: 0, working: 0 });
    await changeShard(service, id, 0, { owner: undefined, finishedAt: service.clock.now() });
    expect((await batchStatus(service, id)).shards).toEqual({ total: 3, finished: 1, working: 0 });
  });

  test('has the speed of the shards that are at work, and an estimate made of it', async () => {
    const service = await createService();
    const id = await submit(service, URLS);
    const owner = { ticket: 't', turn: 'u' };
    const at = service.clock.now();
    await changeShard(service, id, 0, { owner, rate: { filesPerSecond: 1.5, bytesPerSecond: 10, at } });
    await changeShard(service, id, 1, { owner, rate: { filesPerSecond: 0.5, bytesPerSecond: 5, at } });
    await changeShard(service, id, 2, { rate: { filesPerSecond: 100, bytesPerSecond: 100, at } });
    expect(await batchStatus(service, id)).toMatchObject({
      rate: { filesPerSecond: 2, bytesPerSecond: 15 },
      etaSeconds: 7,
    });
    await service.clock.advance(60_000);
    const later = await batchStatus(service, id);
    expect(later.rate).toEqual({ filesPerSecond: 0, bytesPerSecond: 0 });
    expect(later).not.toHaveProperty('etaSeconds');
  });

  test('has the speed since its submission, which no longer falls once it is closed', async () => {
    const service = await createService();
    const id = await submit(service, urlsOf(2));
    await service.clock.advance(4000);
    await settle(service, id, 0, [outcome(1, 'done', { bytes: 100 }), outcome(2, 'failed')], {
      finishedAt: service.clock.now(),
    });
    const averageRate = { filesPerSecond: 0.5, bytesPerSecond: 25 };
    expect(await batchStatus(service, id)).toMatchObject({ averageRate });
    await closeBatch(service, id);
    await service.clock.advance(60_000);
    expect(await batchStatus(service, id)).toMatchObject({ averageRate, warnings: [] });
  });

  test('is one query of the ledger, whatever the size of the batch', async () => {
    const service = await createService();
    const id = await submit(service, URLS);
    const watched = dyingAt(service, Infinity, 'before');
    await batchStatus(watched.service, id);
    expect(watched.calls).toEqual(['ledger.readProgress']);
  });

  test('of an unknown batch is an error', async () => {
    await expect(batchStatus(await createService(), 'nothing')).rejects.toThrow(UnknownBatchError);
  });
});

describe('the list of batches', () => {
  test('comes newest first, page by page', async () => {
    const service = await createService();
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) {
      ids.unshift(await submit(service, urlsOf(i + 1), { name: `batch ${i}` }));
      await service.clock.advance(1);
    }
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const { batches, nextCursor } = await listBatches(service, { limit: 2, cursor });
      expect(batches.length).toBe(nextCursor === undefined ? 1 : 2);
      seen.push(...batches.map(({ id }) => id));
      cursor = nextCursor;
    } while (cursor !== undefined);
    expect(seen).toEqual(ids);
  });

  test('has no cursor where a page is exactly full', async () => {
    const service = await createService();
    const id = await submit(service, urlsOf(3), { name: 'one' });
    expect(await listBatches(service, { limit: 1 })).toEqual({
      batches: [{ id, name: 'one', state: 'running', createdAt: service.clock.now(), total: 3 }],
    });
  });
});
