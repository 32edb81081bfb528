import { describe, expect, test } from 'vitest';
import { closeBatch } from '../../../core/batch/close.ts';
import { startOnce, type KeyedRequest } from '../../../core/batch/once.ts';
import type { Service } from '../../../core/batch/service.ts';
import { batchStatus, listBatches } from '../../../core/batch/status.ts';
import { sweep } from '../../../core/batch/sweep.ts';
import { InvalidListError, KeyInUseError, KeyReusedError } from '../../../core/model/errors.ts';
import { CLAIM_KEPT_MS, CLAIM_LEASE_MS, PLANNING_STALE_MS, TICKET_OVERDUE_MS } from '../../../core/model/limits.ts';
import { outcome, settle } from './outcomes.ts';
import {
  createService,
  dyingAt,
  forEachDeath,
  submit,
  takeTickets,
  untilDead,
  urlsOf,
  type TestService,
} from './service.ts';

const KEYED: KeyedRequest = { key: 'k', request: 'r' };

function ask(service: Service, keyed = KEYED, urls: readonly unknown[] = urlsOf(3)): Promise<string> {
  return startOnce(service, keyed, ({ batchId: id, key: claim }) => submit(service, urls, { id, claim }));
}

async function batchesOf(service: TestService): Promise<string[]> {
  return (await listBatches(service, { limit: 10 })).batches.map(({ id }) => id);
}

describe('a request with a key', () => {
  test('that is sent again is answered with the batch that it started', async () => {
    const service = await createService();
    const id = await ask(service);
    expect(await ask(service)).toBe(id);
    await settle(service, id, 0, [outcome(1, 'done'), outcome(2, 'done'), outcome(3, 'done')], { finishedAt: 1 });
    await closeBatch(service, id);
    await service.clock.advance(CLAIM_KEPT_MS - 1);
    expect(await ask(service)).toBe(id);
    expect(await batchesOf(service)).toEqual([id]);
  });

  test('starts another batch once the key is forgotten, or under another key', async () => {
    const service = await createService();
    const id = await ask(service);
    const other = await ask(service, { ...KEYED, key: 'other' });
    await service.clock.advance(CLAIM_KEPT_MS);
    const later = await ask(service);
    expect(new Set([id, other, later]).size).toBe(3);
  });

  test('that is another than the first one is refused, done or not', async () => {
    const service = await createService();
    await untilDead(ask(dyingAt(service, 4, 'before').service));
    await expect(ask(service, { ...KEYED, request: 'other' })).rejects.toThrow(KeyReusedError);
    await service.clock.advance(CLAIM_LEASE_MS);
    await expect(ask(service, { ...KEYED, request: 'other' })).rejects.toThrow(KeyReusedError);
    await ask(service);
    await expect(ask(service, { ...KEYED, request: 'other' })).rejects.toThrow(KeyReusedError);
  });

  test('that is refused leaves its key to whatever comes next', async () => {
    const service = await createService();
    await expect(ask(service, KEYED, ['no URL'])).rejects.toThrow(InvalidListError);
    const id = await ask(service, { ...KEYED, request: 'mended' });
    expect(await ask(service, { ...KEYED, request: 'mended' })).toBe(id);
    await expect(ask(service)).rejects.toThrow(KeyReusedError);
    expect(await batchesOf(service)).toEqual([id]);
  });

  test('that fails can be sent again at once', async () => {
    const service = await createService();
    const failing: Service = {
      ...service,
      ledger: { ...service.ledger, createBatch: () => Promise.reject(new Error('throttled')) },
    };
    await expect(ask(failing)).rejects.toThrow('throttled');
    const { batchId } = (await service.ledger.getClaim('k')) ?? {};
    expect(await ask(service)).toBe(batchId);
  });

  test('whose claim was answered by nobody is carried out all the same', async () => {
    const service = await createService();
    const { ledger } = service;
    const deaf: Service = {
      ...service,
      ledger: {
        ...ledger,
        putClaim: async (claim) => {
          await ledger.putClaim(claim);
          throw new Error('no answer');
        },
      },
    };
    expect(await batchesOf(service)).toEqual([]);
    const id = await ask(deaf);
    expect(await batchesOf(service)).toEqual([id]);
  });
});

describe('twins', () => {
  test('that come at once start one batch; who is too early is told so', async () => {
    const service = await createService();
    const answers = await Promise.allSettled(Array.from({ length: 8 }, () => ask(service)));
    const ids = new Set(answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : [])));
    for (const answer of answers) {
      if (answer.status === 'rejected') expect(answer.reason).toBeInstanceOf(KeyInUseError);
    }
    expect(await batchesOf(service)).toEqual([...ids]);
    expect([await ask(service)]).toEqual([...ids]);
  });

  test('of one that died do not wait for ever, and take over what it had claimed', async () => {
    const service = await createService();
    await untilDead(ask(dyingAt(service, 4, 'before').service));
    const { batchId } = (await service.ledger.getClaim('k')) ?? {};
    await service.clock.advance(CLAIM_LEASE_MS - 1);
    await expect(ask(service)).rejects.toThrow(KeyInUseError);
    await service.clock.advance(1);
    const answers = await Promise.allSettled([ask(service), ask(service)]);
    expect(answers).toContainEqual({ status: 'fulfilled', value: batchId });
    expect(await batchesOf(service)).toEqual([batchId]);
  });

  test('that come long after take a new id: the old one looks to the sweeper like nothing', async () => {
    const service = await createService();
    await untilDead(ask(dyingAt(service, 4, 'before').service));
    const { batchId } = (await service.ledger.getClaim('k')) ?? {};
    await service.clock.advance(PLANNING_STALE_MS - CLAIM_LEASE_MS);
    const id = await ask(service);
    expect(id).not.toBe(batchId);
    expect(await batchesOf(service)).toEqual([id]);
  });

  test('of one that died at any call get its batch, which runs', async () => {
    const seen = new Set<string>();
    await forEachDeath(async (die) => {
      const service = await createService();
      await untilDead(ask(die(service).service));
      const [before] = await batchesOf(service);
      // Where there is a batch, nobody has to wait.
      if (before !== undefined) expect(await ask(service)).toBe(before);
      await service.clock.advance(CLAIM_LEASE_MS);
      const id = await ask(service);
      if (before !== undefined) expect(id).toBe(before);
      seen.add(before === undefined ? 'nothing' : (await batchStatus(service, id)).state);
      expect(await ask(service)).toBe(id);
      await service.clock.advance(PLANNING_STALE_MS + TICKET_OVERDUE_MS);
      await sweep(service);
      expect(await batchesOf(service)).toEqual([id]);
      expect(await service.ledger.listOpen()).toEqual([id]);
      expect(await batchStatus(service, id)).toMatchObject({ state: 'running', total: 3, pending: 3 });
      expect(await takeTickets(service)).toContainEqual({ batchId: id, shard: 0 });
    });
    expect(seen).toEqual(new Set(['nothing', 'planning', 'running']));
  });

  test('die at any call, too, while they take over', async () => {
    await forEachDeath(async (die) => {
      const service = await createService();
      await untilDead(ask(dyingAt(service, 5, 'after').service));
      await service.clock.advance(CLAIM_LEASE_MS);
      await untilDead(ask(die(service).service));
      await service.clock.advance(CLAIM_LEASE_MS);
      const id = await ask(service);
      expect(await batchesOf(service)).toEqual([id]);
      expect(await ask(service)).toBe(id);
    });
  });
});
