import { describe, expect, it, onTestFinished } from 'vitest';
import { cancelBatch, pauseBatch, resumeBatch } from '../../../core/batch/control.ts';
import { batchStatus } from '../../../core/batch/status.ts';
import { createByteBudget } from '../../../core/download/byte-budget.ts';
import { createDownloader } from '../../../core/download/create-downloader.ts';
import { parseNetworks } from '../../../core/download/address-guard.ts';
import { runTurn } from '../../../core/turn/turn.ts';
import { everyNameIsLocal } from '../../helpers/download.ts';
import { createMemoryStore } from '../../helpers/memory-store.ts';
import { startOrigin } from '../../helpers/origin.ts';
import { createService, submit, takeTickets, type TestService } from '../../unit/batch/service.ts';

const MINUTE = 60_000;
/** Within this time a cancel reaches bodies that are on their way; in these tests no more passes. */
const CANCEL_MS = 10_000;

/** A batch of one file whose body never ends, and a turn that has begun to read it. */
async function startEndless() {
  const service = await createService();
  const began = Promise.withResolvers<undefined>();
  const ended = Promise.withResolvers<undefined>();
  const origin = await startOrigin({
    '/endless': ({ response }) => {
      response.writeHead(200);
      response.write('a beginning');
      response.once('close', () => ended.resolve(undefined));
      began.resolve(undefined);
    },
  });
  const downloader = createDownloader({
    files: createMemoryStore(),
    clock: service.clock,
    budget: createByteBudget(32 * 1024 ** 2),
    resolve: everyNameIsLocal,
    allowedNetworks: parseNetworks(['127.0.0.0/8']),
  });
  onTestFinished(() => downloader.close());
  // Slow is what it is to be.
  const options = { lowSpeed: { bytesPerSecond: 0, seconds: 3600 }, timeouts: { idleMs: 600_000 } };
  const id = await submit(service, [origin.url('/endless')], { options });
  const [delivery] = await service.tickets.receive(1, 15 * MINUTE);
  if (!delivery) throw new Error('There is no ticket.');
  let beforeRelease = () => Promise.resolve();
  const ledger: TestService['ledger'] = {
    ...service.ledger,
    replaceShard: async (next) => {
      if (next.owner === undefined) await beforeRelease();
      return service.ledger.replaceShard(next);
    },
  };
  const bounds = { deadline: service.clock.now() + 15 * MINUTE, stop: new AbortController().signal };
  const turn = runTurn({ ...service, ledger, download: downloader.download }, delivery, bounds);
  await began.promise;
  return {
    service,
    id,
    turn,
    bodyEnded: ended.promise,
    /** Has something happen between the turn's last look at the batch and the release of its shard. */
    onRelease: (happens: () => Promise<void>) => void (beforeRelease = happens),
  };
}

describe('a body that is on its way', () => {
  it('is given up within 10 s of a cancel', async () => {
    const { service, id, turn, bodyEnded } = await startEndless();
    await cancelBatch(service, id);
    expect(await batchStatus(service, id)).toMatchObject({ state: 'cancelling', pending: 1 });
    await service.clock.advance(CANCEL_MS);
    expect(await turn).toBe('acknowledge');
    await bodyEnded;
    expect(await batchStatus(service, id)).toMatchObject({ state: 'cancelled', cancelled: 1, pending: 0 });
  });

  it('is put back within 10 s of a pause, without a ticket', async () => {
    const { service, id, turn, bodyEnded } = await startEndless();
    await pauseBatch(service, id);
    await service.clock.advance(CANCEL_MS);
    expect(await turn).toBe('acknowledge');
    await bodyEnded;
    expect(await batchStatus(service, id)).toMatchObject({ state: 'paused', pending: 1, shards: { working: 0 } });
  });

  it('goes on at once when it is resumed while its shard is still held', async () => {
    const { service, id, turn, onRelease } = await startEndless();
    await pauseBatch(service, id);
    onRelease(async () => {
      await resumeBatch(service, id);
      // The new ticket finds the shard held, and is taken for a spare.
      await takeTickets(service);
    });
    await service.clock.advance(CANCEL_MS);
    expect(await turn).toBe('keep');
    expect(await service.tickets.receive(1, MINUTE)).toMatchObject([{ ticket: { batchId: id, shard: 0 } }]);
  });
});
