import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { closeBatch } from '../../../core/batch/close.ts';
import { cancelBatch } from '../../../core/batch/control.ts';
import { deleteBatch } from '../../../core/batch/delete.ts';
import { listOutcomes } from '../../../core/batch/files.ts';
import { announcedList, createList, dropOldLists, type ListChoice } from '../../../core/batch/lists.ts';
import { planList } from '../../../core/batch/plan-list.ts';
import type { PlanningService } from '../../../core/batch/service.ts';
import { batchStatus } from '../../../core/batch/status.ts';
import { submitList, type Wishes } from '../../../core/batch/submit.ts';
import { readSummary } from '../../../core/batch/summary.ts';
import { recoverAfterRestart, sweep } from '../../../core/batch/sweep.ts';
import { InvalidOptionError, UnknownListError } from '../../../core/model/errors.ts';
import { hostIndexKey, listKey, manifestKey, planKey, secretsKey } from '../../../core/model/layout.ts';
import {
  LIST_KEPT_MS,
  LIST_UPLOAD_MS,
  MAX_PLANNINGS,
  PLANNING_PULSE_MS,
  PLANNING_STALE_MS,
} from '../../../core/model/limits.ts';
import {
  createService,
  forEachDeath,
  objectsOf,
  submit,
  takeTickets,
  untilDead,
  urlsOf,
  type TestService,
} from './service.ts';

const URLS = [...urlsOf(6, 'a.example'), ...urlsOf(6, 'b.example'), 'https://c.example/1.jpg'];
const LIST = `${URLS.join('\n')}\n${URLS[0]}\n`;

/** Uploads a list as its owner would. */
async function upload(service: PlanningService, list: string | Buffer, name = 'urls.txt'): Promise<string> {
  const body = Buffer.from(list);
  const { listId } = await createList(service, { bytes: body.length, name });
  await service.state.put(listKey(listId), body);
  return listId;
}

function begin(service: PlanningService, list: ListChoice, more: Partial<Wishes> = {}): Promise<string> {
  return submitList(service, { list, options: {}, headers: {}, ...more });
}

/** What of a batch does not depend on how its list came. */
async function look(service: TestService, id: string) {
  const { batch, shards } = (await service.ledger.readBatch(id)) ?? {};
  const { state, total, duplicates, shardCount, hostCount } = batch ?? {};
  const objects = await Promise.all(
    [manifestKey(id), hostIndexKey(id), planKey(id)].map(async (key) => String(await service.state.get(key))),
  );
  return {
    batch: { state, total, duplicates, shardCount, hostCount },
    shards: shards?.map((shard) => ({ ...shard, batchId: '', wakeAt: 0 })),
    objects,
  };
}

describe('a batch of an uploaded list', () => {
  test('is planned by a planner, and then is what it would be of a list in a request', async () => {
    const service = await createService();
    const listId = await upload(service, LIST);
    const id = await begin(service, { id: listId }, { name: 'cats', headers: { cookie: 'c' } });
    expect(service.plannersStarted).toEqual([id]);
    expect(await batchStatus(service, id)).toMatchObject({
      name: 'cats',
      state: 'planning',
      linesPlanned: 0,
      total: 0,
      pending: 0,
      shards: { total: 0 },
    });
    expect(await takeTickets(service)).toEqual([]);
    const { files, nextCursor } = await listOutcomes(service, id, { limit: 5 });
    expect(files).toEqual([]);

    await planList(service, id);
    expect(await listOutcomes(service, id, { limit: 5, cursor: nextCursor })).toEqual({ files, nextCursor });
    const inline = await submit(service, [...URLS, URLS[0]]);
    expect(await look(service, id)).toEqual(await look(service, inline));
    const status = await batchStatus(service, id);
    expect(status).toMatchObject({ state: 'running', total: 13, duplicates: 1, pending: 13 });
    expect(status).not.toHaveProperty('linesPlanned');
    expect((await takeTickets(service)).filter(({ batchId }) => batchId === id)).toHaveLength(3);
  });

  test('may be gzipped, in a format that is said with it, by its name, or by what it was sent as', async () => {
    const service = await createService();
    const csv = gzipSync('url,key\nhttps://a.example/1,one\n');
    const said = await begin(service, { id: await upload(service, csv, 'x'), format: 'csv' });
    const named = await begin(service, { id: await upload(service, csv, 'list.csv.gz') });
    const sent = await upload(service, csv, 'x');
    await service.state.put(listKey(sent), csv, { contentType: 'text/csv; charset=utf-8' });
    for (const id of [said, named, await begin(service, { id: sent })]) {
      await planList(service, id);
      expect(await batchStatus(service, id)).toMatchObject({ state: 'running', total: 1 });
    }
    await expect(begin(service, { id: await upload(service, csv, 'x') })).rejects.toThrow(InvalidOptionError);
  });

  test('can be of a list that another batch has, too', async () => {
    const service = await createService();
    const list = { id: await upload(service, LIST) };
    for (const id of [await begin(service, list), await begin(service, list)]) {
      await planList(service, id);
      expect(await batchStatus(service, id)).toMatchObject({ state: 'running', total: 13 });
    }
  });

  test('is refused for a list that nobody knows, or that was not uploaded', async () => {
    const service = await createService();
    await expect(begin(service, { id: '01890a5d-ac96-774b-bcce-b302099a8057' })).rejects.toThrow(UnknownListError);
    const { listId } = await createList(service, { bytes: 5, format: 'text' });
    await expect(begin(service, { id: listId })).rejects.toThrow('was not uploaded yet');
    expect(await service.ledger.listOpen()).toEqual([]);
  });

  test('says how far its planner is, which also shows that it is alive', async () => {
    const service = await createService();
    const id = await begin(service, { id: await upload(service, `${urlsOf(5000).join('\n')}\n`) });
    const seen: (number | undefined)[] = [];
    // Time passes with every look at it.
    let looks = 0;
    const slow: PlanningService = {
      ...service,
      clock: { ...service.clock, now: () => service.clock.now() + ++looks * PLANNING_PULSE_MS },
      ledger: {
        ...service.ledger,
        async replaceBatch(next) {
          seen.push(next.linesPlanned);
          return service.ledger.replaceBatch(next);
        },
      },
    };
    await planList(slow, id);
    expect(seen.filter((lines) => lines !== undefined && lines > 0).length).toBeGreaterThan(2);
    expect(seen).toEqual(seen.toSorted((a = 0, b = 0) => a - b));
    expect((await service.ledger.getBatch(id))?.plannedAt).toBeGreaterThan(service.clock.now());
  });

  test.each([
    ['entries that cannot be used', 'https://a.example/1\nnowhere\n', [{ line: 2, field: 'url', value: 'nowhere' }]],
    ['bytes that are no text', Buffer.from([0x61, 0x0a, 0xff, 0x61]), [{ line: 2, column: 1, reason: 'is not UTF-8' }]],
    ['nothing in it', '\n', []],
  ])('is rejected for a list with %s, and closed', async (_, list, problems) => {
    const service = await createService();
    const id = await begin(service, { id: await upload(service, list) }, { headers: { cookie: 'c' } });
    const now = service.clock.now();
    await planList(service, id);
    const status = await batchStatus(service, id);
    expect(status).toMatchObject({ state: 'rejected', finishedAt: now, total: 0, pending: 0, rejection: { problems } });
    expect(await service.ledger.listOpen()).toEqual([]);
    expect(await objectsOf(service)).not.toContain(secretsKey(id));
    expect(await objectsOf(service)).not.toContain(planKey(id));
    expect(service.announced).toMatchObject([{ id, state: 'rejected', total: 0 }]);
    expect(JSON.parse(await readSummary(service, id))).toEqual(service.announced[0]);
    await expect(cancelBatch(service, id)).rejects.toThrow('The batch is rejected.');
    await planList(service, id);
    expect(await batchStatus(service, id)).toEqual(status);
  });

  test('is rejected when its list is replaced, or gone, before it was read', async () => {
    const service = await createService();
    const listId = await upload(service, LIST);
    const replaced = await begin(service, { id: listId });
    await service.state.put(listKey(listId), Buffer.from(LIST.replaceAll('a.example', 'x.example')));
    await planList(service, replaced);
    const gone = await begin(service, { id: listId });
    await service.state.delete(listKey(listId));
    await planList(service, gone);
    expect((await batchStatus(service, replaced)).rejection?.message).toMatch('was replaced after the batch was begun');
    expect((await batchStatus(service, gone)).rejection?.message).toMatch('is no longer there');
  });

  test('goes on without the entries that cannot be used, where it says so', async () => {
    const service = await createService();
    const list = { id: await upload(service, `nowhere\n${LIST}`) };
    const id = await begin(service, list, { options: { invalidEntries: 'fail' } });
    await planList(service, id);
    expect(await batchStatus(service, id)).toMatchObject({ state: 'running', total: 14, pending: 14 });
  });

  /** Plans a batch; `meanwhile` happens while its list is read. */
  async function planMeanwhile(service: TestService, id: string, meanwhile: () => Promise<void>): Promise<void> {
    let happened = false;
    const watched: PlanningService = {
      ...service,
      state: {
        ...service.state,
        async get(key, options) {
          if (key.startsWith('lists/') && !happened) {
            happened = true;
            await meanwhile();
          }
          return service.state.get(key, options);
        },
      },
    };
    await planList(watched, id);
    expect(happened).toBe(true);
  }

  test('can be cancelled while it is planned', async () => {
    const service = await createService();
    const id = await begin(service, { id: await upload(service, LIST) });
    await planMeanwhile(service, id, () => cancelBatch(service, id));
    const status = await batchStatus(service, id);
    expect(status).toMatchObject({ state: 'cancelled', total: 0, shards: { total: 0 } });
    expect((await service.ledger.readBatch(id))?.shards).toEqual([]);
    expect(await takeTickets(service)).toEqual([]);
    expect(await service.ledger.listOpen()).toEqual([]);
  });

  test.each([
    ['good', LIST],
    ['bad', 'nowhere\n'],
  ])('leaves nothing behind when it is cancelled and deleted while its list, a %s one, is read', async (_, list) => {
    const service = await createService();
    const listId = await upload(service, list);
    const before = await objectsOf(service);
    const id = await begin(service, { id: listId }, { headers: { cookie: 'c' } });
    await planMeanwhile(service, id, async () => {
      await cancelBatch(service, id);
      await deleteBatch(service, id);
    });
    expect(await objectsOf(service)).toEqual(before);
    expect(await service.ledger.readBatch(id)).toBeUndefined();
    expect(await service.ledger.listOpen()).toEqual([]);
  });
});

describe('a planner that dies, at whatever call', () => {
  async function planAndDie(list: string, die: Parameters<Parameters<typeof forEachDeath>[0]>[0]) {
    const service = await createService();
    const id = await begin(service, { id: await upload(service, list) });
    await untilDead(planList(die(service).service, id));
    return { service, id };
  }

  test('leaves a batch that another one brings to the same plan', async () => {
    const whole = await createService();
    const expected = await look(whole, await submit(whole, [...URLS, URLS[0]]));
    await forEachDeath(async (die) => {
      const { service, id } = await planAndDie(LIST, die);
      await planList(service, id);
      // One that died between the state and the tickets left these to the sweeper.
      await service.clock.advance(PLANNING_STALE_MS);
      await sweep(service);
      await service.clock.advance(1);
      await sweep(service);
      const found = await look(service, id);
      expect(found.batch).toEqual(expected.batch);
      expect(found.objects).toEqual(expected.objects);
      const swept = { epoch: expect.any(Number) as number, rev: expect.any(Number) as number };
      expect(found.shards).toMatchObject(expected.shards?.map((shard) => ({ ...shard, ...swept })) ?? []);
      expect(new Set((await takeTickets(service)).map(({ shard }) => shard))).toEqual(new Set([0, 1, 2]));
      expect(service.warned).toEqual([]);
    });
  });

  test('leaves a list that cannot be used to another one, which rejects it', async () => {
    await forEachDeath(async (die) => {
      const { service, id } = await planAndDie('nowhere\n', die);
      await planList(service, id);
      await sweep(service);
      expect(await batchStatus(service, id)).toMatchObject({
        state: 'rejected',
        rejection: { problems: [{ line: 1 }] },
      });
      expect(await service.ledger.listOpen()).toEqual([]);
    });
  });

  test('is replaced by the sweeper 15 minutes after its last sign of life, and at once when its host starts again', async () => {
    const service = await createService();
    const id = await begin(service, { id: await upload(service, LIST) });
    await service.clock.advance(PLANNING_STALE_MS - 1);
    const dying: PlanningService = {
      ...service,
      state: { ...service.state, put: () => Promise.reject(new Error('dead')) },
    };
    await expect(planList(dying, id)).rejects.toThrow('dead');
    await service.clock.advance(PLANNING_STALE_MS);
    await sweep(service);
    expect(service.plannersStarted).toEqual([id]);
    await service.clock.advance(1);
    await sweep(service);
    await sweep(service);
    expect(service.plannersStarted).toEqual([id, id]);
    await recoverAfterRestart(service);
    expect(service.plannersStarted).toEqual([id, id, id]);
  });

  test('is followed by four others at most, for a list that kills them all', async () => {
    const service = await createService();
    const id = await begin(service, { id: await upload(service, LIST) });
    const dying: PlanningService = {
      ...service,
      state: {
        ...service.state,
        createUpload: () => Promise.reject(new Error('dead')),
        put: () => Promise.reject(new Error('dead')),
      },
    };
    for (let tries = 0; tries < MAX_PLANNINGS; tries++) await expect(planList(dying, id)).rejects.toThrow('dead');
    await planList(service, id);
    const { state, rejection } = await batchStatus(service, id);
    expect([state, rejection?.message]).toEqual([
      'rejected',
      expect.stringContaining('could not be planned in 5 tries'),
    ]);
  });

  test('leaves a batch to end at its deadline, if no planner ever comes', async () => {
    const service = await createService();
    const failing: PlanningService = { ...service, startPlanner: () => Promise.reject(new Error('no Lambda')) };
    const id = await begin(failing, { id: await upload(service, LIST) }, { options: { deadlineSeconds: 3600 } });
    expect(service.warned).toMatchObject([{ message: 'a planner could not be started', details: { batchId: id } }]);
    await service.clock.advance(3_600_000 + PLANNING_STALE_MS);
    await sweep(failing);
    expect((await batchStatus(service, id)).rejection?.message).toMatch('before the batch');
  });
});

test('several planners at once make one batch', async () => {
  const service = await createService();
  const id = await begin(service, { id: await upload(service, LIST) });
  await Promise.all([planList(service, id), planList(service, id), planList(service, id)]);
  const inline = await submit(service, [...URLS, URLS[0]]);
  expect(await look(service, id)).toEqual(await look(service, inline));
  expect((await takeTickets(service)).filter(({ batchId }) => batchId === id)).toHaveLength(3);
});

test('a late planner changes nothing of a batch that is over', async () => {
  const service = await createService();
  const id = await begin(service, { id: await upload(service, LIST) });
  await cancelBatch(service, id);
  await closeBatch(service, id);
  const before = await service.ledger.readBatch(id);
  await planList(service, id);
  expect(await service.ledger.readBatch(id)).toEqual(before);
});

test('lists can be uploaded for an hour, and are kept for a week', async () => {
  const service = await createService();
  const listId = await upload(service, LIST);
  expect(await announcedList(service, listId)).toEqual({ bytes: LIST.length, format: 'text' });
  await service.clock.advance(LIST_UPLOAD_MS + 1);
  await expect(announcedList(service, listId)).rejects.toThrow('The time for uploading this list is over.');
  await service.clock.advance(LIST_KEPT_MS - LIST_UPLOAD_MS - 1);
  await dropOldLists(service);
  expect(await objectsOf(service)).toHaveLength(2);
  await service.clock.advance(1);
  await dropOldLists(service);
  expect(await objectsOf(service)).toEqual([]);
});
