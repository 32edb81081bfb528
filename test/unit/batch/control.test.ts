import { describe, expect, test } from 'vitest';
import { closeBatch } from '../../../core/batch/close.ts';
import { cancelBatch, pauseBatch, resumeBatch } from '../../../core/batch/control.ts';
import { batchStatus } from '../../../core/batch/status.ts';
import { sweep } from '../../../core/batch/sweep.ts';
import { BatchStateError, UnknownBatchError } from '../../../core/model/errors.ts';
import { secretsKey } from '../../../core/model/layout.ts';
import { LEASE_MS, PLANNING_STALE_MS } from '../../../core/model/limits.ts';
import { changeShard, outcome, settle, shardOf } from './outcomes.ts';
import {
  createService,
  dyingAt,
  forEachDeath,
  objectsOf,
  submit,
  takeTickets,
  untilDead,
  urlsOf,
  type TestService,
} from './service.ts';

const URLS = [...urlsOf(3, 'a.example'), ...urlsOf(2, 'b.example')];
const OWNER = { ticket: 't', turn: 'u' };

async function lease(service: TestService, id: string, shard: number): Promise<void> {
  await changeShard(service, id, shard, { owner: OWNER, leaseUntil: service.clock.now() + LEASE_MS, epoch: 1 });
}

describe('cancelling', () => {
  test('ends a batch that nobody works on at once: what has no outcome is cancelled', async () => {
    const service = await createService();
    const id = await submit(service, URLS, { headers: { cookie: 'c' } });
    await settle(service, id, 0, [outcome(1, 'done'), outcome(2, 'failed')], { retrying: 1 });
    await service.clock.advance(500);
    await cancelBatch(service, id);
    expect(await batchStatus(service, id)).toMatchObject({
      state: 'cancelled',
      finishedAt: service.clock.now(),
      done: 1,
      failed: 1,
      cancelled: 3,
      pending: 0,
      retrying: 0,
      shards: { total: 2, finished: 2, working: 0 },
    });
    expect(service.announced).toMatchObject([{ id, state: 'cancelled', cancelled: 3, total: 5 }]);
    expect(await service.ledger.listOpen()).toEqual([]);
    expect(await objectsOf(service)).not.toContain(secretsKey(id));
  });

  test('leaves a shard to the worker that holds it, and to the sweeper once its lease is over', async () => {
    const service = await createService();
    const id = await submit(service, URLS);
    await lease(service, id, 1);
    await cancelBatch(service, id);
    expect(await batchStatus(service, id)).toMatchObject({ state: 'cancelling', cancelled: 3, pending: 2 });

    await service.clock.advance(LEASE_MS - 1);
    await sweep(service);
    expect(await batchStatus(service, id)).toMatchObject({ state: 'cancelling', pending: 2 });
    await service.clock.advance(1);
    await sweep(service);
    expect(await batchStatus(service, id)).toMatchObject({ state: 'cancelled', cancelled: 5, pending: 0 });
    // The worker, were it alive, would find that another holds its shard.
    expect((await shardOf(service, id, 1)).epoch).toBe(2);
  });

  test('does not cancel what is settled at the same moment', async () => {
    const service = await createService();
    const id = await submit(service, URLS);
    const { ledger } = service;
    const slow = {
      ...service,
      ledger: {
        ...ledger,
        readBatch: async (batchId: string) => {
          const read = await ledger.readBatch(batchId);
          if ((await shardOf(service, id, 0)).seq === 0) await settle(service, id, 0, [outcome(1, 'done')]);
          return read;
        },
      },
    };
    await cancelBatch(slow, id);
    expect(await batchStatus(service, id)).toMatchObject({ state: 'cancelling', done: 1, cancelled: 2, pending: 2 });
    await sweep(service);
    expect(await batchStatus(service, id)).toMatchObject({ state: 'cancelled', done: 1, cancelled: 4 });
  });

  test('again changes nothing', async () => {
    const service = await createService();
    const id = await submit(service, URLS);
    await cancelBatch(service, id);
    const read = await service.ledger.readBatch(id);
    await service.clock.advance(1000);
    await cancelBatch(service, id);
    expect(await service.ledger.readBatch(id)).toEqual(read);
    expect(service.announced).toHaveLength(1);
  });

  test('works on a paused batch', async () => {
    const service = await createService();
    const id = await submit(service, URLS);
    await pauseBatch(service, id);
    await cancelBatch(service, id);
    expect(await batchStatus(service, id)).toMatchObject({ state: 'cancelled', cancelled: 5 });
  });

  test.each([5, 7, 8, 9])('ends a batch whose planner died at its call %i, shards missing or not', async (call) => {
    const service = await createService();
    await untilDead(submit(dyingAt(service, call, 'after').service, URLS));
    const [id = ''] = await service.ledger.listOpen();
    expect(await batchStatus(service, id)).toMatchObject({ state: 'planning', pending: 5 });
    await cancelBatch(service, id);
    // The planner might live yet, and bring the shards that are missing.
    await service.clock.advance(PLANNING_STALE_MS + 1);
    await sweep(service);
    expect(await batchStatus(service, id)).toMatchObject({ state: 'cancelled', cancelled: 5, pending: 0 });
    expect(service.announced).toMatchObject([{ id, state: 'cancelled', cancelled: 5 }]);
    expect(await service.ledger.listOpen()).toEqual([]);
    expect(await takeTickets(service)).toEqual([]);
  });

  test('by a process that dies at any call is finished by the sweeper', async () => {
    await forEachDeath(async (die) => {
      const service = await createService();
      const id = await submit(service, URLS);
      await settle(service, id, 0, [outcome(1, 'done')]);
      await untilDead(cancelBatch(die(service).service, id));
      if ((await batchStatus(service, id)).state === 'running') return;
      await sweep(service);
      expect(await batchStatus(service, id)).toMatchObject({ state: 'cancelled', done: 1, cancelled: 4, pending: 0 });
      expect(await service.ledger.listOpen()).toEqual([]);
      expect(service.announced.length).toBeGreaterThanOrEqual(1);
    });
  });
});

describe('pausing and resuming', () => {
  test('bring a batch to rest and back to work, with a ticket for every open shard', async () => {
    const service = await createService();
    const id = await submit(service, URLS);
    await takeTickets(service);
    await settle(service, id, 0, [outcome(1, 'done')], { finishedAt: 1 });
    await pauseBatch(service, id);
    await pauseBatch(service, id);
    expect((await batchStatus(service, id)).state).toBe('paused');
    await resumeBatch(service, id);
    expect((await batchStatus(service, id)).state).toBe('running');
    expect(await takeTickets(service)).toEqual([{ batchId: id, shard: 1 }]);
    await resumeBatch(service, id);
    expect(await takeTickets(service)).toEqual([{ batchId: id, shard: 1 }]);
  });

  test('let a change of the same moment stand', async () => {
    const service = await createService();
    const id = await submit(service, URLS);
    await Promise.all([pauseBatch(service, id), cancelBatch(service, id)]);
    expect((await batchStatus(service, id)).state).toBe('cancelled');
  });
});

describe('what does not go with a state is an error', () => {
  const act = { cancel: cancelBatch, pause: pauseBatch, resume: resumeBatch };

  test.each(['cancel', 'pause', 'resume'] as const)('%s of a batch that nobody knows', async (action) => {
    await expect(act[action](await createService(), 'b')).rejects.toThrow(UnknownBatchError);
  });

  test.each(['cancel', 'pause', 'resume'] as const)('%s of a finished batch', async (action) => {
    const service = await createService();
    const id = await submit(service, urlsOf(1));
    await settle(service, id, 0, [outcome(1, 'done')], { finishedAt: 1 });
    await closeBatch(service, id);
    await expect(act[action](service, id)).rejects.toThrow(new BatchStateError('The batch is finished.'));
  });

  test.each(['pause', 'resume'] as const)('%s of a cancelled batch', async (action) => {
    const service = await createService();
    const id = await submit(service, urlsOf(1));
    await cancelBatch(service, id);
    await expect(act[action](service, id)).rejects.toThrow(new BatchStateError('The batch is cancelled.'));
  });

  test('pause of a batch that is being planned', async () => {
    const service = await createService();
    await untilDead(submit(dyingAt(service, 5, 'after').service, URLS));
    const [id = ''] = await service.ledger.listOpen();
    await expect(pauseBatch(service, id)).rejects.toThrow(new BatchStateError('The batch is planning.'));
  });
});
