import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { closeBatch } from '../../../core/batch/close.ts';
import { cancelBatch } from '../../../core/batch/control.ts';
import { createIndexSet } from '../../../core/batch/index-set.ts';
import { deleteBatch, removeState } from '../../../core/batch/delete.ts';
import { planList } from '../../../core/batch/plan-list.ts';
import { retryBatch, type RetryChoice } from '../../../core/batch/retry.ts';
import type { PlanningService } from '../../../core/batch/service.ts';
import { batchStatus } from '../../../core/batch/status.ts';
import type { Entry } from '../../../core/model/entry.ts';
import { BatchStateError, InvalidListError, UnknownBatchError } from '../../../core/model/errors.ts';
import { manifestKey, secretsKey } from '../../../core/model/layout.ts';
import { ObjectStoreError } from '../../../core/ports/object-store.ts';
import type { Submission, Wishes } from '../../../core/batch/submit.ts';
import { sweep } from '../../../core/batch/sweep.ts';
import { PLANNING_STALE_MS } from '../../../core/model/limits.ts';
import { outcome, settle } from './outcomes.ts';
import {
  createService,
  dyingAt,
  objectsOf,
  submit,
  takeTickets,
  untilDead,
  urlsOf,
  type TestService,
} from './service.ts';

const SHA256 = 'ab'.repeat(32);
const LIST = [
  'https://a.example/done.jpg',
  { url: 'https://a.example/gone.jpg', key: 'mine/gone', headers: { 'X-Token': 't' }, size: 7, sha256: SHA256 },
  '# no URL, but a line',
  'https://b.example/slow?token=1',
  'https://b.example/reset.jpg',
].map((value, i) => ({ line: i + 1, value }));
const ITEMS = LIST.filter(({ line }) => line !== 3);

/** A closed batch: one entry done, the others failed, each in its own way. */
async function createFailed(service: TestService, more: Partial<Submission> = {}): Promise<string> {
  const id = await submit(service, [], { name: 'cats', items: ITEMS, headers: { cookie: 'c' }, ...more });
  await settle(service, id, 0, [outcome(2, 'failed'), outcome(1, 'done')], { finishedAt: 1 });
  await settle(service, id, 1, [outcome(4, 'failed', { code: 'TOO_SLOW' })]);
  await settle(service, id, 1, [outcome(5, 'failed', { code: 'CONNECTION_LOST' })], { finishedAt: 1 });
  await closeBatch(service, id);
  await takeTickets(service);
  return id;
}

async function entriesOf({ state }: TestService, id: string): Promise<Entry[]> {
  const lines = String(await state.get(manifestKey(id))).split('\n');
  const entries = lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Entry);
  return entries.sort((a, b) => a.index - b.index);
}

/** Begins a retry. */
function begin(service: PlanningService, choice: RetryChoice, given: Partial<Wishes> = {}): Promise<string> {
  return retryBatch(service, choice, { headers: {}, ...given });
}

/** Begins a retry and has it planned. */
async function retry(service: PlanningService, choice: RetryChoice, given: Partial<Wishes> = {}): Promise<string> {
  const id = await begin(service, choice, given);
  await planList(service, id);
  return id;
}

/** What planners wrote of a batch. */
async function plannedOf({ ledger, state }: TestService, id: string) {
  const { batch, shards = [] } = (await ledger.readBatch(id)) ?? {};
  const { total, hostCount, shardCount, topHosts } = batch ?? {};
  return {
    batch: { state: batch?.state, total, hostCount, shardCount, topHosts },
    shards: shards.map(({ shard, from, to, total }) => ({ shard, from, to, total })),
    manifest: String(await state.get(manifestKey(id))),
  };
}

describe('a retry', () => {
  test('is a batch of the failed entries, with their lines, keys and settings, and the options', async () => {
    const service = await createService();
    const options = { prefix: 'shared/', maxAttempts: 3, timeouts: { idleMs: 5000 } };
    const id = await createFailed(service, { options });
    await service.clock.advance(5000);
    const again = await retry(service, { batchId: id });
    const [before, after] = [await batchStatus(service, id), await batchStatus(service, again)];
    expect(after).toMatchObject({
      state: 'running',
      retryOf: id,
      name: 'cats',
      createdAt: service.clock.now(),
      total: 3,
      duplicates: 0,
      pending: 3,
      options: before.options,
    });
    expect(after.deadline - after.createdAt).toBe(before.deadline - before.createdAt);
    const failed = (await entriesOf(service, id)).filter(({ index }) => index !== 1);
    expect(await entriesOf(service, again)).toEqual(failed);
    expect(failed[0]).toEqual({
      index: 2,
      url: 'https://a.example/gone.jpg',
      key: 'mine/gone',
      headers: { 'x-token': 't' },
      size: 7,
      sha256: SHA256,
    });
    expect((await takeTickets(service)).map(({ batchId }) => batchId)).toContain(again);
    expect(before).toMatchObject({ state: 'finished', failed: 3 });
  });

  test("puts files beside those of the batch, under its prefix, where nothing is anybody else's", async () => {
    const service = await createService();
    const id = await createFailed(service);
    const again = await retry(service, { batchId: id });
    expect((await batchStatus(service, again)).options).toMatchObject({ prefix: `${id}/`, ownPrefix: true });
    await cancelBatch(service, again);
    await expect(retry(service, { batchId: again })).rejects.toThrow(InvalidListError);
  });

  test('takes only entries that failed with the codes given', async () => {
    const service = await createService();
    const id = await createFailed(service);
    const again = await retry(service, { batchId: id, codes: ['TOO_SLOW', 'NOT_FOUND', 'CRASHED'] });
    expect((await entriesOf(service, again)).map(({ index }) => index)).toEqual([2, 4]);
  });

  test('has request headers and a name of its own', async () => {
    const service = await createService();
    const id = await createFailed(service);
    expect(await service.ledger.getBatch(id)).toMatchObject({ hasSecrets: true });
    const bare = await retry(service, { batchId: id });
    expect(await service.ledger.getBatch(bare)).toMatchObject({ hasSecrets: false });
    const again = await retry(service, { batchId: id }, { headers: { cookie: 'new' }, name: 'once more' });
    expect(await service.ledger.getBatch(again)).toMatchObject({ hasSecrets: true, name: 'once more' });
    expect(String(await service.state.get(secretsKey(again)))).toBe('{"cookie":"new"}');
  });

  test('of a retry names that one, and can be made as often as there are failures', async () => {
    const service = await createService();
    const first = await createFailed(service);
    const second = await retry(service, { batchId: first, codes: ['TOO_SLOW'] });
    await settle(service, second, 0, [outcome(4, 'failed', { code: 'TOO_SLOW' })], { finishedAt: 1 });
    await closeBatch(service, second);
    const third = await retry(service, { batchId: second });
    expect(await batchStatus(service, third)).toMatchObject({ retryOf: second, total: 1 });
    expect(await entriesOf(service, third)).toEqual(await entriesOf(service, second));
  });

  test('of what did not fail is refused', async () => {
    const service = await createService();
    const id = await createFailed(service);
    await expect(retry(service, { batchId: id, codes: ['CRASHED'] })).rejects.toThrow(
      'No entry of the batch failed with CRASHED; nothing was started.',
    );
    const fine = await submit(service, urlsOf(1));
    await settle(service, fine, 0, [outcome(1, 'done')], { finishedAt: 1 });
    await closeBatch(service, fine);
    await expect(retry(service, { batchId: fine })).rejects.toThrow(InvalidListError);
  });

  test('of an open batch is refused, and of one that nobody knows', async () => {
    const service = await createService();
    const id = await submit(service, urlsOf(1));
    await expect(retry(service, { batchId: id })).rejects.toThrow(BatchStateError);
    await expect(retry(service, { batchId: 'b' })).rejects.toThrow(UnknownBatchError);
  });
});

describe('a retry is planned by a planner', () => {
  test('which is asked for at once, and until then nothing is read', async () => {
    const service = await createService();
    const id = await createFailed(service);
    const unread = { ...service, state: { ...service.state, get: () => Promise.reject(new Error('read')) } };
    const again = await begin(unread, { batchId: id });
    expect(service.plannersStarted).toEqual([again]);
    expect(await batchStatus(service, again)).toMatchObject({
      state: 'planning',
      retryOf: id,
      total: 0,
      linesPlanned: 0,
    });
    expect(await takeTickets(service)).toEqual([]);
  });

  // What it reads, what it writes, and the batch's record in between: further deaths are those of uploaded lists.
  test.each([3, 6, 9, 12])(
    'that can die, here at its call %i, and is followed by one that makes the same plan',
    async (at) => {
      const service = await createService();
      const id = await createFailed(service);
      const expected = await plannedOf(service, await retry(service, { batchId: id }));
      const again = await begin(service, { batchId: id });
      const doomed = dyingAt(service, at, 'after');
      await untilDead(planList(doomed.service, again));
      expect(doomed.died).toBe(true);
      await service.clock.advance(PLANNING_STALE_MS + 1);
      await sweep(service);
      expect(service.plannersStarted.at(-1)).toBe(again);
      await planList(service, again);
      expect(await plannedOf(service, again)).toEqual(expected);
      expect(service.warned).toEqual([]);
    },
  );

  test('or by several at once, which make one plan', async () => {
    const service = await createService();
    const id = await createFailed(service);
    const alone = await retry(service, { batchId: id });
    const together = await begin(service, { batchId: id });
    await Promise.all([planList(service, together), planList(service, together)]);
    expect(await plannedOf(service, together)).toEqual(await plannedOf(service, alone));
  });

  test('and is rejected if what failed can only fail again', async () => {
    const service = await createService();
    const items = [{ line: 1, value: 'nowhere' }];
    const id = await submit(service, [], { items, options: { invalidEntries: 'fail' } });
    await settle(service, id, 0, [outcome(1, 'failed', { code: 'INVALID_URL' })], { finishedAt: 1 });
    await closeBatch(service, id);
    const { state, rejection } = await batchStatus(service, await retry(service, { batchId: id }));
    expect([state, rejection?.message]).toEqual(['rejected', 'The list has no entries; nothing was started.']);
  });
});

describe('a retry whose batch is deleted while it is planned', () => {
  const GONE = /^The list of what failed in batch [0-9a-f-]+ is no longer there; nothing was started\.$/;

  test('is rejected if nothing was read yet', async () => {
    const service = await createService();
    const id = await createFailed(service);
    const again = await begin(service, { batchId: id }, { headers: { cookie: 'c' } });
    await deleteBatch(service, id);
    await planList(service, again);
    const { state, retryOf, total, rejection } = await batchStatus(service, again);
    expect({ state, retryOf, total }).toEqual({ state: 'rejected', retryOf: id, total: 0 });
    expect(rejection?.message).toMatch(GONE);
    expect(await objectsOf(service)).not.toContain(secretsKey(again));
    expect(await service.ledger.listOpen()).toEqual([]);
  });

  test('is planned whole or rejected, wherever in its reading that happens', async () => {
    const ends = new Set<string>();
    for (let before = 1; ; before++) {
      const service = await createService();
      const id = await createFailed(service);
      const again = await begin(service, { batchId: id });
      let reads = 0;
      const deleting = async () => {
        if (++reads === before) await removeState(service, id);
      };
      await planList(
        {
          ...service,
          state: {
            ...service.state,
            get: async (key, options) => (await deleting(), service.state.get(key, options)),
            async *list(prefix, options) {
              await deleting();
              yield* service.state.list(prefix, options);
            },
          },
        },
        again,
      );
      const { state, total, rejection } = await batchStatus(service, again);
      ends.add(state);
      if (state === 'running') expect(total).toBe(3);
      else expect(rejection?.message).toMatch(GONE);
      if (reads < before) break;
    }
    expect(ends).toEqual(new Set(['rejected', 'running']));
  });

  test('is rejected if only some of its records have expired', async () => {
    const service = await createService();
    const id = await createFailed(service);
    const again = await begin(service, { batchId: id });
    const half: PlanningService = {
      ...service,
      ledger: {
        ...service.ledger,
        async readBatch(batchId) {
          const read = await service.ledger.readBatch(batchId);
          return read && { batch: read.batch, shards: read.shards.slice(1) };
        },
      },
    };
    await planList(half, again);
    expect((await batchStatus(service, again)).rejection?.message).toMatch(GONE);
  });

  test('is put off while the store does not answer', async () => {
    const service = await createService();
    const id = await createFailed(service);
    const again = await begin(service, { batchId: id });
    const down = () => Promise.reject(new ObjectStoreError('UNAVAILABLE', 'down'));
    await expect(planList({ ...service, state: { ...service.state, get: down } }, again)).rejects.toThrow('down');
    await planList(service, again);
    expect(await batchStatus(service, again)).toMatchObject({ state: 'running', total: 3 });
  });
});

test('a set of indexes has what was added, and nothing else', () => {
  const index = fc.oneof(fc.nat(300_000), fc.nat(1_000_000_000));
  fc.assert(
    fc.property(fc.array(index), fc.array(index), (added, asked) => {
      const set = createIndexSet();
      for (const index of added) set.add(index);
      for (const index of [...added, ...asked]) expect(set.has(index)).toBe(added.includes(index));
    }),
  );
});
