import { describe, expect, test } from 'vitest';
import { closeBatch } from '../../../core/batch/close.ts';
import { cancelBatch, pauseBatch } from '../../../core/batch/control.ts';
import { deleteBatch } from '../../../core/batch/delete.ts';
import { startOnce } from '../../../core/batch/once.ts';
import { batchStatus, listBatches } from '../../../core/batch/status.ts';
import { recoverAfterRestart, sweep } from '../../../core/batch/sweep.ts';
import { BatchStateError, UnknownBatchError } from '../../../core/model/errors.ts';
import { CLAIM_LEASE_MS, PLANNING_STALE_MS } from '../../../core/model/limits.ts';
import { outcome, settle } from './outcomes.ts';
import { createService, forEachDeath, objectsOf, submit, untilDead, urlsOf, type TestService } from './service.ts';

const URLS = [...urlsOf(3, 'a.example'), ...urlsOf(2, 'b.example')];

async function createClosed(service: TestService): Promise<string> {
  const id = await submit(service, URLS, { headers: { cookie: 'c' } });
  await settle(service, id, 0, [outcome(1, 'done'), outcome(2, 'failed'), outcome(3, 'done')], { finishedAt: 1 });
  await settle(service, id, 1, [outcome(4, 'done'), outcome(5, 'done')], { finishedAt: 1 });
  await closeBatch(service, id);
  return id;
}

async function expectNothingOf(service: TestService, id: string): Promise<void> {
  await expect(batchStatus(service, id)).rejects.toThrow(UnknownBatchError);
  expect((await listBatches(service, { limit: 10 })).batches.map((batch) => batch.id)).not.toContain(id);
  expect(await service.ledger.getShard(id, 0)).toBeUndefined();
  expect(await service.ledger.listOpen()).not.toContain(id);
  expect((await objectsOf(service)).filter((key) => key.includes(id))).toEqual([]);
}

describe('deleting a batch', () => {
  test('removes all that is kept of it, and nothing of others', async () => {
    const service = await createService();
    const other = await createClosed(service);
    const before = await objectsOf(service);
    const id = await createClosed(service);
    await deleteBatch(service, id);
    await expectNothingOf(service, id);
    expect(await objectsOf(service)).toEqual(before);
    expect(await batchStatus(service, other)).toMatchObject({ state: 'finished', done: 4, failed: 1 });
    await expect(deleteBatch(service, id)).rejects.toThrow(UnknownBatchError);
  });

  test('takes a cancelled one', async () => {
    const service = await createService();
    const id = await submit(service, URLS);
    await cancelBatch(service, id);
    await deleteBatch(service, id);
    await expectNothingOf(service, id);
  });

  test('takes none that is open', async () => {
    const service = await createService();
    const id = await submit(service, URLS);
    await expect(deleteBatch(service, id)).rejects.toThrow(
      new BatchStateError('The batch is running; cancel it first.'),
    );
    await pauseBatch(service, id);
    await expect(deleteBatch(service, id)).rejects.toThrow(BatchStateError);
    expect(await batchStatus(service, id)).toMatchObject({ state: 'paused' });
  });

  test('announces a batch first whose closing was cut short', async () => {
    const service = await createService();
    let mute = true;
    const { announce } = service;
    service.announce = (summary) => (mute ? Promise.reject(new Error('nobody listens')) : announce(summary));
    await expect(createClosed(service)).rejects.toThrow();
    const [id = ''] = await service.ledger.listOpen();
    await expect(deleteBatch(service, id)).rejects.toThrow('nobody listens');
    expect(await batchStatus(service, id)).toMatchObject({ state: 'finished' });
    mute = false;
    await deleteBatch(service, id);
    expect(service.announced).toMatchObject([{ id }]);
    await expectNothingOf(service, id);
  });

  test.each([
    ['the sweeper', sweep],
    ['the next start', recoverAfterRestart],
  ])('is brought to its end by %s when it died at whatever call; nobody sees half of it', async (_, mend) => {
    const seen = new Set<string>();
    await forEachDeath(async (die) => {
      const service = await createService();
      const id = await createClosed(service);
      await untilDead(deleteBatch(die(service).service, id));
      const status = await batchStatus(service, id).catch(() => undefined);
      seen.add(status ? 'whole' : 'gone');
      // What is shown is whole.
      if (status) expect(await service.ledger.readBatch(id)).toMatchObject({ shards: [{ shard: 0 }, { shard: 1 }] });
      await service.clock.advance(PLANNING_STALE_MS + 1);
      await mend(service);
      expect(service.warned).toEqual([]);
      expect(await service.ledger.listOpen()).toEqual([]);
      if (!status) await expectNothingOf(service, id);
      else await deleteBatch(service, id);
      await expectNothingOf(service, id);
    });
    expect(seen).toEqual(new Set(['whole', 'gone']));
  });

  test('does not let a request that is sent again start it again', async () => {
    const service = await createService();
    const ask = () =>
      startOnce(service, { key: 'k', request: 'r' }, ({ batchId, key }) =>
        submit(service, URLS, { id: batchId, claim: key }),
      );
    const id = await ask();
    await cancelBatch(service, id);
    await deleteBatch(service, id);
    await service.clock.advance(CLAIM_LEASE_MS);
    await expect(ask()).rejects.toThrow(UnknownBatchError);
    expect(await listBatches(service, { limit: 10 })).toEqual({ batches: [] });
  });
});
