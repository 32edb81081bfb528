import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { closeBatch } from '../../../core/batch/close.ts';
import { cancelBatch } from '../../../core/batch/control.ts';
import { createIndexSet } from '../../../core/batch/index-set.ts';
import { retryBatch } from '../../../core/batch/retry.ts';
import { batchStatus } from '../../../core/batch/status.ts';
import type { Entry } from '../../../core/model/entry.ts';
import { BatchStateError, InvalidListError, UnknownBatchError } from '../../../core/model/errors.ts';
import { manifestKey, secretsKey } from '../../../core/model/layout.ts';
import type { Submission } from '../../../core/batch/submit.ts';
import { outcome, settle } from './outcomes.ts';
import { createService, submit, takeTickets, urlsOf, type TestService } from './service.ts';

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

describe('a retry', () => {
  test('is a batch of the failed entries, with their lines, keys and settings, and the options', async () => {
    const service = await createService();
    const options = { prefix: 'shared/', maxAttempts: 3, timeouts: { idleMs: 5000 } };
    const id = await createFailed(service, { options });
    await service.clock.advance(5000);
    const again = await retryBatch(service, { batchId: id }, { headers: {} });
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
    const again = await retryBatch(service, { batchId: id }, { headers: {} });
    expect((await batchStatus(service, again)).options).toMatchObject({ prefix: `${id}/`, ownPrefix: true });
    await cancelBatch(service, again);
    await expect(retryBatch(service, { batchId: again }, { headers: {} })).rejects.toThrow(InvalidListError);
  });

  test('takes only entries that failed with the codes given', async () => {
    const service = await createService();
    const id = await createFailed(service);
    const again = await retryBatch(
      service,
      { batchId: id, codes: ['TOO_SLOW', 'NOT_FOUND', 'CRASHED'] },
      { headers: {} },
    );
    expect((await entriesOf(service, again)).map(({ index }) => index)).toEqual([2, 4]);
  });

  test('has request headers and a name of its own', async () => {
    const service = await createService();
    const id = await createFailed(service);
    expect(await service.ledger.getBatch(id)).toMatchObject({ hasSecrets: true });
    const bare = await retryBatch(service, { batchId: id }, { headers: {} });
    expect(await service.ledger.getBatch(bare)).toMatchObject({ hasSecrets: false });
    const again = await retryBatch(service, { batchId: id }, { headers: { cookie: 'new' }, name: 'once more' });
    expect(await service.ledger.getBatch(again)).toMatchObject({ hasSecrets: true, name: 'once more' });
    expect(String(await service.state.get(secretsKey(again)))).toBe('{"cookie":"new"}');
  });

  test('of a retry names that one, and can be made as often as there are failures', async () => {
    const service = await createService();
    const first = await createFailed(service);
    const second = await retryBatch(service, { batchId: first, codes: ['TOO_SLOW'] }, { headers: {} });
    await settle(service, second, 0, [outcome(4, 'failed', { code: 'TOO_SLOW' })], { finishedAt: 1 });
    await closeBatch(service, second);
    const third = await retryBatch(service, { batchId: second }, { headers: {} });
    expect(await batchStatus(service, third)).toMatchObject({ retryOf: second, total: 1 });
    expect(await entriesOf(service, third)).toEqual(await entriesOf(service, second));
  });

  test('of what did not fail is refused', async () => {
    const service = await createService();
    const id = await createFailed(service);
    await expect(retryBatch(service, { batchId: id, codes: ['CRASHED'] }, { headers: {} })).rejects.toThrow(
      'No entry of the batch failed with CRASHED; nothing was started.',
    );
    const fine = await submit(service, urlsOf(1));
    await settle(service, fine, 0, [outcome(1, 'done')], { finishedAt: 1 });
    await closeBatch(service, fine);
    await expect(retryBatch(service, { batchId: fine }, { headers: {} })).rejects.toThrow(InvalidListError);
  });

  test('of an open batch is refused, and of one that nobody knows', async () => {
    const service = await createService();
    const id = await submit(service, urlsOf(1));
    await expect(retryBatch(service, { batchId: id }, { headers: {} })).rejects.toThrow(BatchStateError);
    await expect(retryBatch(service, { batchId: 'b' }, { headers: {} })).rejects.toThrow(UnknownBatchError);
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
