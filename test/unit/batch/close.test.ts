import { describe, expect, test } from 'vitest';
import { closeBatch } from '../../../core/batch/close.ts';
import { listOutcomes } from '../../../core/batch/files.ts';
import type { Summary } from '../../../core/batch/service.ts';
import { batchStatus } from '../../../core/batch/status.ts';
import { sweep } from '../../../core/batch/sweep.ts';
import { readSummary } from '../../../core/batch/summary.ts';
import { AWS_PRICES } from '../../../core/cost/prices.ts';
import { BatchStateError, UnknownBatchError } from '../../../core/model/errors.ts';
import { failedListKey, secretsKey, summaryKey } from '../../../core/model/layout.ts';
import { changeShard, outcome, putResults, settle } from './outcomes.ts';
import {
  createService,
  dyingAt,
  forEachDeath,
  objectsOf,
  submit,
  untilDead,
  urlsOf,
  type TestService,
} from './service.ts';

/** A batch of two shards, all of whose entries are settled. */
async function createFinished(service: TestService): Promise<string> {
  const id = await submit(service, [...urlsOf(3, 'a.example'), ...urlsOf(2, 'b.example')], {
    name: 'cats',
    headers: { cookie: 'SECRET' },
  });
  const failed = outcome(2, 'failed', { url: 'https://a.example/1.jpg?sig=x', key: 'a.example/1~0123456789.jpg' });
  await settle(service, id, 0, [outcome(1, 'done'), failed]);
  await putResults(service, id, 0, 2, 1, [outcome(3, 'failed')]); // of a worker that died
  await settle(service, id, 0, [outcome(3, 'skipped')], { finishedAt: service.clock.now() });
  await service.clock.advance(1000);
  const large = outcome(5, 'failed', { code: 'TOO_LARGE', message: 'too large', httpStatus: undefined });
  await settle(service, id, 1, [large, outcome(4, 'done')], { finishedAt: service.clock.now() });
  await service.clock.advance(1000);
  return id;
}

async function textOf({ state }: TestService, key: string): Promise<string> {
  return String(await state.get(key));
}

async function failedLines(service: TestService, id: string): Promise<unknown[]> {
  const text = await textOf(service, failedListKey(id));
  return text
    .split('\n')
    .slice(0, -1)
    .map((line): unknown => JSON.parse(line));
}

async function checkClosed(service: TestService, id: string): Promise<void> {
  expect(await batchStatus(service, id)).toMatchObject({
    state: 'finished',
    finishedAt: service.clock.now() - 1000,
    total: 5,
    done: 2,
    skipped: 1,
    failed: 2,
    cancelled: 0,
    pending: 0,
    bytes: 20,
    failures: { NOT_FOUND: 1, TOO_LARGE: 1 },
  });
  expect(await service.ledger.listOpen()).toEqual([]);
  expect(service.announced.length).toBeGreaterThanOrEqual(1);
  const summary = JSON.parse(await textOf(service, summaryKey(id))) as Summary;
  for (const announced of service.announced) expect(announced).toEqual(summary);
  expect(summary).toMatchObject({ id, name: 'cats', state: 'finished', total: 5, done: 2, failed: 2, skipped: 1 });
  expect(await failedLines(service, id)).toHaveLength(2);
  expect(await objectsOf(service)).not.toContain(secretsKey(id));
}

describe('a batch whose shards are finished', () => {
  test('is closed: lists first, then the record, the announcement, and what is of no more use', async () => {
    const service = await createService();
    const id = await createFinished(service);
    const watched = dyingAt(service, Infinity, 'before');
    await closeBatch(watched.service, id);
    const effects = watched.calls.filter((call) => !/get|read|list/i.test(call.split(' ')[0] ?? ''));
    expect(effects).toEqual([
      `state.put ${failedListKey(id)}`,
      `state.put ${summaryKey(id)}`,
      'ledger.replaceBatch',
      'announce',
      'ledger.replaceBatch',
      `state.delete ${secretsKey(id)}`,
      'ledger.dropOpen',
    ]);
    await checkClosed(service, id);
    expect(service.announced).toHaveLength(1);
  });

  test('is closed once, however often it is tried', async () => {
    const service = await createService();
    const id = await createFinished(service);
    await closeBatch(service, id);
    const closed = await service.ledger.getBatch(id);
    await closeBatch(service, id);
    await sweep(service);
    expect(await service.ledger.getBatch(id)).toEqual(closed);
    await checkClosed(service, id);
    expect(service.announced).toHaveLength(1);
  });

  test('is closed by several at once as by one', async () => {
    const service = await createService();
    const id = await createFinished(service);
    await Promise.all(Array.from({ length: 4 }, () => closeBatch(service, id)));
    await checkClosed(service, id);
  });

  test('is closed, though who closes it dies at any call, and is announced at least once', async () => {
    await forEachDeath(async (die) => {
      const service = await createService();
      const id = await createFinished(service);
      await untilDead(closeBatch(die(service).service, id));
      await sweep(service);
      expect(service.warned).toEqual([]);
      await checkClosed(service, id);
      expect(service.announced.length).toBeLessThanOrEqual(2);
    });
  });

  test('is announced again and again until that works', async () => {
    const service = await createService();
    const id = await createFinished(service);
    const deaf = { ...service, announce: () => Promise.reject(new Error('nobody listens')) };
    await expect(closeBatch(deaf, id)).rejects.toThrow('nobody listens');
    await sweep(deaf);
    expect(service.warned).toEqual([{ message: 'sweep failed', details: { batchId: id, error: 'nobody listens' } }]);
    expect(await service.ledger.listOpen()).toEqual([id]);
    await sweep(service);
    await checkClosed(service, id);
  });

  test('lists its failed entries, to be posted again as they are', async () => {
    const service = await createService();
    const id = await createFinished(service);
    await closeBatch(service, id);
    const lines = await failedLines(service, id);
    expect(lines).toEqual([
      {
        url: 'https://a.example/1.jpg?sig=x',
        key: 'a.example/1~0123456789.jpg',
        index: 2,
        state: 'failed',
        code: 'NOT_FOUND',
        message: 'gone',
        httpStatus: 404,
        attempts: 1,
        settledAt: '1970-01-01T00:00:00.000Z',
      },
      {
        url: 'https://a.example/5.jpg',
        key: 'a.example/5.jpg',
        index: 5,
        state: 'failed',
        code: 'TOO_LARGE',
        message: 'too large',
        attempts: 1,
        settledAt: '1970-01-01T00:00:00.000Z',
      },
    ]);
    const again = await submit(service, lines);
    expect(await batchStatus(service, again)).toMatchObject({ total: 2, duplicates: 0, state: 'running' });
  });

  test('has an empty failed list if nothing failed', async () => {
    const service = await createService();
    const id = await submit(service, urlsOf(1));
    await settle(service, id, 0, [outcome(1, 'done')], { finishedAt: 1 });
    await closeBatch(service, id);
    expect(await textOf(service, failedListKey(id))).toBe('');
  });

  test('has a summary that tells what it cost, where anything is paid for', async () => {
    const service = await createService();
    const id = await createFinished(service);
    await changeShard(service, id, 1, { workedMs: 60_000 });
    await expect(readSummary(service, id)).rejects.toThrow(
      new BatchStateError('The batch is running; it has no summary yet.'),
    );
    await closeBatch({ ...service, billing: { prices: AWS_PRICES, workerMb: 2048 } }, id);
    const summary = JSON.parse(await readSummary(service, id)) as Summary;
    expect(summary).toEqual(service.announced[0]);
    expect(summary).toMatchObject({ id, name: 'cats', state: 'finished', total: 5, done: 2, failed: 2, skipped: 1 });
    expect(new Date(summary.finishedAt).getTime()).toBe(service.clock.now() - 1000);
    expect(summary.cost?.parts.lambda).toBeCloseTo(60 * 2 * 0.0000133334, 5);
    expect(summary.options).not.toHaveProperty('ownPrefix');

    const free = await createFinished(service);
    await closeBatch(service, free);
    expect(JSON.parse(await readSummary(service, free))).not.toHaveProperty('cost');
    await expect(readSummary(service, 'nothing')).rejects.toThrow(UnknownBatchError);
  });

  test('still lists its outcomes', async () => {
    const service = await createService();
    const id = await createFinished(service);
    await closeBatch(service, id);
    const { files, nextCursor } = await listOutcomes(service, id, { limit: 10 });
    expect(files.map(({ index }) => index)).toEqual([1, 2, 3, 5, 4]);
    expect(nextCursor).toBeUndefined();
  });
});

describe('a batch is not closed', () => {
  test('while a shard is not finished', async () => {
    const service = await createService();
    const id = await createFinished(service);
    await changeShard(service, id, 1, { finishedAt: undefined });
    await closeBatch(service, id);
    expect(await batchStatus(service, id)).toMatchObject({ state: 'running' });
    expect(await objectsOf(service)).not.toContain(summaryKey(id));
  });

  test.each([2, 3])('while it is planned, though all of the %i shards that there are are finished', async (count) => {
    const service = await createService();
    const calls = [
      'manifest',
      'index',
      'plan',
      'list open',
      'batch',
      'read plan',
      ...Array<string>(count).fill('shard'),
    ];
    const urls = ['a', 'b', 'c'].flatMap((host) => urlsOf(2, `${host}.example`));
    await untilDead(submit(dyingAt(service, calls.length, 'after').service, urls));
    const [id = ''] = await service.ledger.listOpen();
    const { shards = [] } = (await service.ledger.readBatch(id)) ?? {};
    expect(shards).toHaveLength(count);
    for (const { shard } of shards) await changeShard(service, id, shard, { finishedAt: 1 });
    await closeBatch(service, id);
    expect(await batchStatus(service, id)).toMatchObject({ state: 'planning' });
  });

  test('if there is none', async () => {
    const service = await createService();
    await closeBatch(service, 'nothing');
    expect(service.announced).toEqual([]);
  });
});
