import { describe, expect, test } from 'vitest';
import { cancelBatch, pauseBatch, resumeBatch } from '../../../core/batch/control.ts';
import { batchStatus } from '../../../core/batch/status.ts';
import { sweep } from '../../../core/batch/sweep.ts';
import { BatchStateError, InvalidOptionError } from '../../../core/model/errors.ts';
import { createByteWatch } from '../../../core/turn/byte-watch.ts';
import { outcome, settle, shardOf } from './outcomes.ts';
import { createService, submit, takeTickets, urlsOf, type TestService } from './service.ts';

const URLS = [...urlsOf(4, 'a.example'), ...urlsOf(4, 'b.example')];
const LIMIT = 100;

/** A batch of two shards or more that may store 100 bytes. */
async function start(limits = {}) {
  const service = await createService(limits);
  const id = await submit(service, URLS, { options: { maxTotalBytes: LIMIT } });
  return { service, id };
}

async function store(service: TestService, id: string, shard: number, bytes: number): Promise<void> {
  await settle(service, id, shard, [outcome(shard + 1, 'done', { bytes })]);
}

describe('a batch that has stored more than its maxTotalBytes', () => {
  test('is paused by the sweeper, and says why', async () => {
    const { service, id } = await start();
    await store(service, id, 0, 60);
    await store(service, id, 1, 40);
    await sweep(service);
    expect(await batchStatus(service, id)).toMatchObject({ state: 'running', bytes: LIMIT });
    await store(service, id, 2, 1);
    await sweep(service);
    expect(await batchStatus(service, id)).toMatchObject({ state: 'paused', reason: 'BYTE_LIMIT', bytes: 101 });
  });

  test('goes on with a higher limit only, and stops at that', async () => {
    const { service, id } = await start();
    await store(service, id, 0, 101);
    await sweep(service);
    await expect(resumeBatch(service, id)).rejects.toThrow(BatchStateError);
    await expect(resumeBatch(service, id, { maxTotalBytes: 100 })).rejects.toThrow(InvalidOptionError);
    expect(await batchStatus(service, id)).toMatchObject({ state: 'paused', reason: 'BYTE_LIMIT' });
    await takeTickets(service);

    await resumeBatch(service, id, { maxTotalBytes: 150 });
    await resumeBatch(service, id, { maxTotalBytes: 150 });
    const status = await batchStatus(service, id);
    expect(status).toMatchObject({ state: 'running', options: { maxTotalBytes: 150 } });
    expect(status).not.toHaveProperty('reason');
    expect((await takeTickets(service)).map(({ shard }) => shard)).toContain(0);
    await sweep(service);
    expect(await batchStatus(service, id)).toMatchObject({ state: 'running' });
    await store(service, id, 1, 50);
    await sweep(service);
    expect(await batchStatus(service, id)).toMatchObject({ state: 'paused', reason: 'BYTE_LIMIT' });
  });

  test('can be paused again, which changes nothing, and cancelled', async () => {
    const { service, id } = await start();
    await store(service, id, 0, 101);
    await sweep(service);
    await pauseBatch(service, id);
    expect(await batchStatus(service, id)).toMatchObject({ state: 'paused', reason: 'BYTE_LIMIT' });
    await cancelBatch(service, id);
    const status = await batchStatus(service, id);
    expect(status).toMatchObject({ state: 'cancelled', done: 1, cancelled: 7 });
    expect(status).not.toHaveProperty('reason');
  });
});

test('a limit can be raised before it is passed', async () => {
  const { service, id } = await start();
  await resumeBatch(service, id, { maxTotalBytes: 200 });
  await store(service, id, 0, 101);
  await sweep(service);
  expect(await batchStatus(service, id)).toMatchObject({ state: 'running', options: { maxTotalBytes: 200 } });
});

test('a deployment has a limit for batches that name none', async () => {
  const service = await createService({ maxTotalBytes: 1024 });
  const bounded = await submit(service, URLS);
  const own = await submit(service, URLS, { options: { maxTotalBytes: 5 } });
  expect((await batchStatus(service, bounded)).options.maxTotalBytes).toBe(1024);
  expect((await batchStatus(service, own)).options.maxTotalBytes).toBe(5);
});

describe('a turn', () => {
  /** The watch of a turn at each shard, over a ledger that counts its readings. */
  async function watch(shards: number) {
    const { service, id } = await start();
    let readings = 0;
    const ledger: TestService['ledger'] = {
      ...service.ledger,
      readBatch: (batchId) => {
        readings += 1;
        return service.ledger.readBatch(batchId);
      },
    };
    const keeps = Array.from({ length: shards }, () => createByteWatch(ledger, () => service.clock.now()));
    return {
      service,
      id,
      readings: () => readings,
      /** Stores bytes in a shard, and has its turn look. */
      store: async (shard: number, bytes: number): Promise<string | undefined> => {
        await store(service, id, shard, bytes);
        await service.clock.advance(15_000);
        const batch = await service.ledger.getBatch(id);
        const keep = keeps[shard];
        if (!batch || !keep) throw new Error('There is no such shard.');
        return (await keep(batch, await shardOf(service, id, shard))).state;
      },
    };
  }

  test('pauses the batch as soon as its shards together have stored too much', async () => {
    const { service, id, store } = await watch(2);
    for (const shard of [0, 1, 0, 1, 0, 1, 0, 1, 0, 1]) expect(await store(shard, 10)).toBe('running');
    const states = [await store(0, 10), await store(1, 10)];
    expect(states).toContain('paused');
    expect(await batchStatus(service, id)).toMatchObject({ state: 'paused', reason: 'BYTE_LIMIT' });
  });

  test('reads all shards only when that can find something', async () => {
    const { service, id, store, readings } = await watch(1);
    const { shardCount = NaN } = (await service.ledger.getBatch(id)) ?? {};
    const share = LIMIT / shardCount;
    await store(0, share - 1);
    expect(readings()).toBe(0);
    await store(0, 1);
    expect(readings()).toBe(1);
    // What is left by then is shared again.
    await store(0, (LIMIT - share) / shardCount - 1);
    expect(readings()).toBe(1);
    await store(0, 1);
    expect(readings()).toBe(2);
  });

  test('has nothing to read where there is no limit', async () => {
    const service = await createService();
    const id = await submit(service, URLS);
    const batch = await service.ledger.getBatch(id);
    const keep = createByteWatch({ ...service.ledger, readBatch: () => Promise.reject(new Error('read')) }, () => 0);
    if (!batch) throw new Error('There is no batch.');
    expect(await keep(batch, { ...(await shardOf(service, id, 0)), bytes: 10 ** 12 })).toBe(batch);
  });
});
