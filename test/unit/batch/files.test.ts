import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { closeBatch } from '../../../core/batch/close.ts';
import { listOutcomes } from '../../../core/batch/files.ts';
import { InvalidOptionError, UnknownBatchError } from '../../../core/model/errors.ts';
import type { Outcome } from '../../../core/model/outcome.ts';
import { batchRecord, shardRecord } from '../../contract/records.ts';
import { changeShard, outcome, putResults, settle } from './outcomes.ts';
import { createService, type TestService } from './service.ts';

/** A running batch with `shards` shards whose entries do not matter. */
async function createBatch({ ledger }: TestService, shards: number): Promise<string> {
  const batch = batchRecord({ shardCount: shards, total: 1000 * shards, state: 'running' });
  await ledger.createBatch(batch);
  for (let shard = 0; shard < shards; shard++) await ledger.createShard(shardRecord(batch.id, shard, { total: 1000 }));
  return batch.id;
}

async function close(service: TestService, id: string, shards: number): Promise<void> {
  for (let shard = 0; shard < shards; shard++) await changeShard(service, id, shard, { finishedAt: 1 });
  await closeBatch(service, id);
}

/** More shards than are read with the batch, and three of them: the first, the last of those, and one beyond. */
const MANY = 41;
const [FIRST, MIDDLE, LAST] = [0, 31, 40];

type Query = Parameters<typeof listOutcomes>[2];

/** Follows the cursors to the end, if there is one, and no further than `pages` pages. */
async function readAll(service: TestService, id: string, query: Query, pages = Infinity) {
  const files: Outcome[] = [];
  let cursor = query.cursor;
  for (let page = 0; page < pages; page++) {
    const answer = await listOutcomes(service, id, { ...query, cursor });
    expect(answer.files.length).toBeLessThanOrEqual(query.limit);
    files.push(...answer.files);
    cursor = answer.nextCursor;
    if (cursor === undefined) break;
  }
  return { files, cursor };
}

const indexes = (files: readonly Outcome[]) => files.map(({ index }) => index);

describe('the outcomes of a batch', () => {
  test('come shard by shard, in the order in which they were settled', async () => {
    const service = await createService();
    const id = await createBatch(service, 2);
    await settle(service, id, 1, [outcome(5, 'done'), outcome(4, 'failed')]);
    await settle(service, id, 0, [outcome(2, 'skipped')]);
    await settle(service, id, 0, [outcome(1, 'done')]);
    const { files, nextCursor } = await listOutcomes(service, id, { limit: 100 });
    expect(files).toEqual([outcome(2, 'skipped'), outcome(1, 'done'), outcome(5, 'done'), outcome(4, 'failed')]);
    expect(nextCursor).toBeDefined();
  });

  test('are each met once, whatever is settled between the pages and lies beside the results', async () => {
    const endings = fc.array(fc.constantFrom<Outcome['state']>('done', 'failed', 'skipped'), {
      minLength: 1,
      maxLength: 4,
    });
    const step = fc.oneof(
      fc.record({ settle: endings, shard: fc.constantFrom(FIRST, MIDDLE, LAST), stale: fc.boolean() }),
      fc.record({ read: fc.integer({ min: 1, max: 5 }) }),
    );
    const anyState = fc.constantFrom<Query['state']>(undefined, 'done', 'failed', 'skipped');
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), anyState, async (steps, state) => {
        const service = await createService();
        const id = await createBatch(service, MANY);
        const settled = Array.from({ length: MANY }, (): Outcome[] => []);
        const seqs = settled.map(() => 0);
        const met: Outcome[] = [];
        let cursor: string | undefined;
        const read = async (limit: number) => {
          const page = await listOutcomes(service, id, { limit, cursor, state });
          expect(page.files.length).toBeLessThanOrEqual(limit);
          met.push(...page.files);
          cursor = page.nextCursor;
        };

        let index = 0;
        for (const step of steps) {
          if ('read' in step) {
            await read(step.read);
            expect(cursor).toBeDefined();
            continue;
          }
          const outcomes = step.settle.map((state) => outcome(++index, state));
          settled[step.shard]?.push(...outcomes);
          const seq = (seqs[step.shard] = (seqs[step.shard] ?? 0) + 1);
          // A worker that died before its checkpoint landed, under the lease before this one.
          if (step.stale)
            await putResults(service, id, step.shard, seq, seq - 1, [outcome(-1, 'failed'), outcome(-2, 'done')]);
          await settle(service, id, step.shard, outcomes);
          // One that dies now.
          if (step.stale) await putResults(service, id, step.shard, seq + 1, seq, [outcome(-3, 'done')]);
        }
        await close(service, id, MANY);
        do await read(3);
        while (cursor !== undefined);

        const wanted = settled.flat().filter((outcome) => state === undefined || outcome.state === state);
        const byIndex = (a: Outcome, b: Outcome) => a.index - b.index;
        expect(met.toSorted(byIndex)).toEqual(wanted.sort(byIndex));
        for (const shard of settled) {
          const own = indexes(met).filter((index) => indexes(shard).includes(index));
          expect(own).toEqual([...own].sort((a, b) => a - b));
        }
      }),
      { numRuns: 25 },
    );
  });

  test.each([
    ['few', 3, 1],
    ['many', MANY, MIDDLE],
    ['many', MANY, LAST],
  ])('of a closed batch of %s shards end where nothing more can come', async (_, shards, last) => {
    const service = await createService();
    const id = await createBatch(service, shards);
    await settle(service, id, 0, [outcome(1, 'done'), outcome(2, 'done')]);
    await settle(service, id, last, [outcome(3, 'done'), outcome(4, 'done')]);
    const running = await readAll(service, id, { limit: 4 }, 3);
    expect(indexes(running.files)).toEqual([1, 2, 3, 4]);
    expect(running.cursor).toBeDefined();

    await close(service, id, shards);
    for (const limit of [1, 2, 3, 4, 5]) {
      expect(indexes((await readAll(service, id, { limit })).files)).toEqual([1, 2, 3, 4]);
    }
    expect(await listOutcomes(service, id, { limit: 5 })).not.toHaveProperty('nextCursor');
    expect(await listOutcomes(service, id, { limit: 4, cursor: running.cursor })).toEqual({ files: [] });
  });

  test('of few shards end with a full page, if that has all', async () => {
    const service = await createService();
    const id = await createBatch(service, 3);
    await settle(service, id, 0, [outcome(1, 'done'), outcome(2, 'done')]);
    await close(service, id, 3);
    expect(await listOutcomes(service, id, { limit: 2 })).not.toHaveProperty('nextCursor');
  });

  test('are read of no more shards than a page takes', async () => {
    const service = await createService();
    const id = await createBatch(service, MANY);
    for (const shard of [FIRST, LAST]) await settle(service, id, shard, [outcome(shard, 'done')]);
    let read = 0;
    const ledger: TestService['ledger'] = {
      ...service.ledger,
      readBatch: async (...parameters) => {
        const found = await service.ledger.readBatch(...parameters);
        read += found?.shards.length ?? 0;
        return found;
      },
    };
    const first = await listOutcomes({ ...service, ledger }, id, { limit: 1 });
    expect([indexes(first.files), read]).toEqual([[FIRST], 32]);
    read = 0;
    const second = await listOutcomes({ ...service, ledger }, id, { limit: 1, cursor: first.nextCursor });
    expect([indexes(second.files), read]).toEqual([[LAST], 32 + MANY]);
  });

  test('of a batch that is deleted meanwhile are an error, not fewer', async () => {
    const service = await createService();
    const id = await createBatch(service, MANY);
    await settle(service, id, LAST, [outcome(1, 'failed')]);
    await close(service, id, MANY);
    const ledger: TestService['ledger'] = {
      ...service.ledger,
      readBatch: async (...parameters) => {
        const found = await service.ledger.readBatch(...parameters);
        await service.ledger.removeBatch(id);
        return found;
      },
    };
    await expect(listOutcomes({ ...service, ledger }, id, { limit: 100 })).rejects.toThrow(UnknownBatchError);
  });

  test('of one kind can be asked for, and another kind with the same cursor', async () => {
    const service = await createService();
    const id = await createBatch(service, 1);
    await settle(service, id, 0, [outcome(1, 'done'), outcome(2, 'failed'), outcome(3, 'done'), outcome(4, 'failed')]);
    await settle(service, id, 0, [outcome(5, 'done')]);
    const { files, nextCursor } = await listOutcomes(service, id, { limit: 1, state: 'failed' });
    expect(indexes(files)).toEqual([2]);
    expect(indexes((await readAll(service, id, { limit: 9, cursor: nextCursor, state: 'done' }, 1)).files)).toEqual([
      3, 5,
    ]);
    expect(indexes((await readAll(service, id, { limit: 9, cursor: nextCursor, state: 'failed' }, 1)).files)).toEqual([
      4,
    ]);
  });

  test('of a kind that is rare are looked for page by page, so that no page takes long', async () => {
    const service = await createService();
    const id = await createBatch(service, 1);
    for (let i = 1; i <= 70; i++) await settle(service, id, 0, [outcome(i, i === 70 ? 'skipped' : 'done')]);
    await close(service, id, 1);
    const first = await listOutcomes(service, id, { limit: 10, state: 'skipped' });
    expect(first).toEqual({ files: [], nextCursor: expect.any(String) as string });
    expect(indexes((await readAll(service, id, { limit: 10, state: 'skipped' })).files)).toEqual([70]);
  });

  test('of a kind that no shard has cost no look into the store, and no page costs many', async () => {
    const service = await createService();
    const shards = 100;
    const id = await createBatch(service, shards);
    for (let shard = 0; shard < shards; shard++) await settle(service, id, shard, [outcome(shard + 1, 'done')]);
    await close(service, id, shards);
    let requests = 0;
    const state: TestService['state'] = {
      ...service.state,
      list: (...parameters) => (requests++, service.state.list(...parameters)),
      get: (...parameters) => (requests++, service.state.get(...parameters)),
    };
    expect(await listOutcomes({ ...service, state }, id, { state: 'failed', limit: 1000 })).toEqual({ files: [] });
    expect(requests).toBe(0);

    let cursor: string | undefined;
    let found = 0;
    do {
      requests = 0;
      const page = await listOutcomes({ ...service, state }, id, { state: 'done', limit: 1000, cursor });
      expect(requests).toBeLessThanOrEqual(65);
      found += page.files.length;
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    expect(found).toBe(shards);
  });

  test('have a cursor that fits into a URL, even where a thousand shards are at work', async () => {
    const service = await createService();
    const id = await createBatch(service, 1000);
    for (let shard = 0; shard < 1000; shard += 100) {
      await settle(service, id, shard, [outcome(shard, 'done'), outcome(shard + 1, 'done')]);
    }
    const { cursor = '' } = await readAll(service, id, { limit: 3 }, 4);
    expect(cursor.length).toBeLessThan(2500);
    expect(encodeURIComponent(cursor)).toBe(cursor);
    expect((await readAll(service, id, { limit: 100, cursor }, 1)).files).toHaveLength(8);
  });

  test('of a batch that nobody knows are an error', async () => {
    await expect(listOutcomes(await createService(), 'b', { limit: 1 })).rejects.toThrow(UnknownBatchError);
  });

  test('are not passed over when one of their objects is missing', async () => {
    const service = await createService();
    const id = await createBatch(service, 1);
    await changeShard(service, id, 0, { seq: 2, done: 2 });
    await putResults(service, id, 0, 2, 1, [outcome(1, 'done')]);
    await expect(listOutcomes(service, id, { limit: 9 })).rejects.toThrow(
      `Results of shard 0 of batch ${id} are missing.`,
    );
  });
});

describe('a cursor that was never given out is refused', () => {
  const garbled = [
    '',
    'x',
    '-',
    '-1',
    '1-',
    '--',
    '1.',
    '.1',
    '1.1.1',
    '1e3',
    '0x1',
    ' 1',
    '1 ',
    '+1',
    '3',
    '2.1',
    '1.99',
    '0-0-1',
    '0-0-0',
    '99999999',
    '999999999999999999999999',
    '9007199254740993',
    'Infinity',
    'NaN',
    '__proto__',
    'constructor',
    '1-__proto__',
    Buffer.from('{"0":[1,0]}').toString('base64url'),
    '\0',
    '١',
    '0-'.repeat(100_000),
  ];

  test.each(garbled)('%j', async (cursor) => {
    const service = await createService();
    const id = await createBatch(service, 2);
    await settle(service, id, 0, [outcome(1, 'done'), outcome(2, 'done')]);
    await settle(service, id, 0, [outcome(3, 'done')]);
    await expect(listOutcomes(service, id, { limit: 5, cursor })).rejects.toThrow(InvalidOptionError);
  });

  test('and whatever else is sent does no harm', async () => {
    const service = await createService();
    const id = await createBatch(service, 2);
    await settle(service, id, 0, [outcome(1, 'done'), outcome(2, 'done')]);
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.stringMatching(/^[\d.-]{0,12}$/)), async (cursor) => {
        const page = await listOutcomes(service, id, { limit: 5, cursor }).catch((error: unknown) => error);
        if (!(page instanceof InvalidOptionError)) expect(page).toHaveProperty('nextCursor');
      }),
      { numRuns: 200 },
    );
  });
});
