import { describe, expect, test } from 'vitest';
import { startPlanned } from '../../../core/batch/planning.ts';
import { batchStatus, listBatches } from '../../../core/batch/status.ts';
import { recoverAfterRestart, sweep } from '../../../core/batch/sweep.ts';
import type { Entry } from '../../../core/model/entry.ts';
import { InvalidListError, InvalidOptionError } from '../../../core/model/errors.ts';
import { hostIndexKey, manifestKey, planKey, secretsKey } from '../../../core/model/layout.ts';
import { PLANNING_STALE_MS } from '../../../core/model/limits.ts';
import { entryOf } from '../../../core/plan/manifest-line.ts';
import { findHost } from '../../../core/plan/host-index.ts';
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

const URLS = [...urlsOf(6, 'a.example'), ...urlsOf(6, 'b.example'), 'https://c.example/1.jpg'];

/** What a batch looks like from outside, times left out. */
async function look(service: TestService, id: string) {
  const read = await service.ledger.readBatch(id);
  return { batch: read?.batch, shards: read?.shards.map((shard) => ({ ...shard, wakeAt: 0 })) };
}

describe('a submitted list', () => {
  test('becomes a running batch with its shards and a ticket for each', async () => {
    const service = await createService();
    const now = service.clock.now();
    const id = await submit(service, [...URLS, URLS[0]], { name: 'cats', options: { deadlineSeconds: 60 } });

    const { batch, shards } = (await service.ledger.readBatch(id)) ?? {};
    expect(batch).toMatchObject({
      id,
      name: 'cats',
      state: 'running',
      createdAt: now,
      deadline: now + 60_000,
      total: 13,
      duplicates: 1,
      shardCount: 3,
      hostCount: 3,
      hasSecrets: false,
      options: { prefix: `${id}/`, ownPrefix: true, connectionsPerHost: 16 },
    });
    expect(shards?.map(({ shard, total, hosts }) => [shard, total, hosts])).toEqual([
      [0, 6, 1],
      [1, 6, 1],
      [2, 1, 1],
    ]);
    for (const shard of shards ?? []) {
      expect(shard).toMatchObject({ cursor: shard.from, wakeAt: now, ticketed: true, seq: 0, epoch: 0, done: 0 });
    }
    expect(await takeTickets(service)).toEqual([0, 1, 2].map((shard) => ({ batchId: id, shard })));
    expect(await service.ledger.listOpen()).toEqual([id]);
    expect(await objectsOf(service)).toEqual([hostIndexKey(id), manifestKey(id), planKey(id)]);
  });

  test('has its entries in the manifest, within the ranges of their shards', async () => {
    const service = await createService();
    const list = [...URLS.slice(6), { url: 'https://a.example/x', key: 'x', headers: { Cookie: 'c' }, size: 5 }];
    const id = await submit(service, list);
    const { shards = [] } = (await service.ledger.readBatch(id)) ?? {};
    const entries: Entry[] = [];
    for (const { from, to, total } of shards) {
      const part = String(await service.state.get(manifestKey(id), { from, to }));
      const lines = part.split('\n').slice(0, -1);
      expect(lines).toHaveLength(total);
      entries.push(...lines.map(entryOf));
    }
    expect(entries.sort((a, b) => a.index - b.index)).toEqual([
      ...URLS.slice(6).map((url, i) => ({ index: i + 1, url, key: url.replace('https://', '') })),
      { index: 8, url: 'https://a.example/x', key: 'x', headers: { cookie: 'c' }, size: 5 },
    ]);
    expect((await service.state.head(manifestKey(id)))?.contentType).toBe('application/x-ndjson');
  });

  test('has its hosts in an index, if there are shards to tell apart', async () => {
    const service = await createService();
    const id = await submit(service, URLS);
    const { shards = [] } = (await service.ledger.readBatch(id)) ?? {};
    for (const host of ['https://a.example', 'https://b.example', 'https://c.example']) {
      const shard = shards[(await findHost(service.state, id, 3, host)) ?? -1];
      const body = String(await service.state.get(manifestKey(id), { from: shard?.from, to: shard?.to }));
      expect(body).toContain(`"url":"${host}/`);
    }
    expect(await findHost(service.state, id, 3, 'http://a.example')).toBeUndefined();

    const single = await submit(service, ['https://a.example/1']);
    expect(await objectsOf(service)).not.toContain(hostIndexKey(single));
  });

  test('keeps request headers of the batch where only its workers look', async () => {
    const service = await createService();
    const id = await submit(service, URLS, { headers: { authorization: 'Bearer SECRET' } });
    expect(JSON.parse(String(await service.state.get(secretsKey(id))))).toEqual({ authorization: 'Bearer SECRET' });
    expect(JSON.stringify(await service.ledger.readBatch(id))).not.toContain('SECRET');
    expect(String(await service.state.get(manifestKey(id)))).not.toContain('SECRET');
    expect((await service.ledger.getBatch(id))?.hasSecrets).toBe(true);
  });

  test('can come item by item', async () => {
    const service = await createService({ minEntriesPerShard: 200 });
    function* items() {
      for (let line = 1; line <= 20_000; line++) yield { line, value: `https://h${line % 3}.example/${line}.jpg` };
    }
    const id = await submit(service, [], { items: items() });
    expect(await batchStatus(service, id)).toMatchObject({ state: 'running', total: 20_000, pending: 20_000 });
  });
});

describe('a bad list', () => {
  test.each<[string, unknown[]]>([
    ['with a bad URL at its end', [...URLS, 'nowhere']],
    ['with one key for two URLs', [...URLS, { url: 'https://d.example', key: 'a.example/1.jpg' }]],
    ['without entries', []],
  ])('%s leaves nothing behind', async (_, list) => {
    const service = await createService();
    const watched = dyingAt(service, Infinity, 'before');
    await expect(submit(watched.service, list, { headers: { a: 'b' } })).rejects.toThrow(InvalidListError);
    expect(watched.calls).toEqual([]);
    expect(await objectsOf(service)).toEqual([]);
    expect(await service.ledger.listOpen()).toEqual([]);
  });

  test('is refused with the lines of both entries that want one key', async () => {
    const service = await createService();
    const list = [
      'https://a.example/1.jpg',
      'https://a.example/2.jpg',
      { url: 'https://b.example', key: 'a.example/1.jpg' },
    ];
    await expect(submit(service, list)).rejects.toMatchObject({
      problems: [
        {
          line: 3,
          field: 'key',
          value: 'a.example/1.jpg',
          reason: 'is also the key of line 1, for another URL; give one of them a key',
        },
      ],
    });
  });

  test('is refused with its first hundred problems, and read no further', async () => {
    const service = await createService();
    let read = 0;
    function* items() {
      for (;;) yield { line: ++read, value: 'nowhere' };
    }
    const error = await submit(service, [], { items: items() }).catch((error: unknown) => error as InvalidListError);
    expect(error).toMatchObject({ problems: Array.from({ length: 100 }, (_, i) => ({ line: i + 1 })) });
    expect(read).toBe(100);
  });

  test('is refused with a hundred problems where one entry has more than a call has room for', async () => {
    const service = await createService();
    const fields = Object.fromEntries(Array.from({ length: 300_000 }, (_, i) => [`field${i}`, 0]));
    await expect(submit(service, [fields])).rejects.toMatchObject({ problems: { length: 100 } });
  });

  test('with options that cannot be is not even read', async () => {
    const service = await createService();
    function* items(): Generator<never> {
      throw new Error('was read');
    }
    const submission = submit(service, [], { items: items(), options: { prefix: '/etc/' } });
    await expect(submission).rejects.toThrow(InvalidOptionError);
  });
});

describe('planning can be repeated', () => {
  test('at once by several, and once more later: the batch is the same', async () => {
    const service = await createService();
    // The seventh call is the one for the first shard.
    await untilDead(submit(dyingAt(service, 7, 'before').service, URLS));
    const [open = ''] = await service.ledger.listOpen();
    await Promise.all([startPlanned(service, open), startPlanned(service, open), startPlanned(service, open)]);
    const planned = await look(service, open);
    expect(planned.batch?.state).toBe('running');
    expect(planned.shards).toHaveLength(3);
    // One of them set the batch going.
    expect(await takeTickets(service)).toHaveLength(3);

    await startPlanned(service, open);
    expect(await look(service, open)).toEqual(planned);
    expect(await takeTickets(service)).toEqual([]);
  });

  test('without touching shards that are worked already', async () => {
    const service = await createService();
    const id = await submit(service, URLS);
    const shard = await service.ledger.getShard(id, 0);
    if (!shard) throw new Error('There is no shard.');
    await service.ledger.replaceShard({ ...shard, rev: 2, epoch: 1, done: 4 });
    await startPlanned(service, id);
    expect(await service.ledger.getShard(id, 0)).toMatchObject({ rev: 2, epoch: 1, done: 4 });
  });

  test('but not for a batch without a plan', async () => {
    const service = await createService();
    await expect(startPlanned(service, 'b')).rejects.toThrow('Batch b has no plan.');
  });
});

describe('a process that dies while it submits, at whatever call', () => {
  const options = { headers: { cookie: 'c' } };

  async function submitAndDie(die: Parameters<Parameters<typeof forEachDeath>[0]>[0]) {
    const service = await createService();
    await untilDead(submit(die(service).service, URLS, options));
    const [id] = await service.ledger.listOpen();
    return { service, id };
  }

  async function undisturbed() {
    const service = await createService();
    return look(service, await submit(service, URLS, options));
  }

  test('leaves nothing to see, or a batch that the sweeper sets going after 15 minutes', async () => {
    const whole = await undisturbed();
    const seen = new Set<string>();
    await forEachDeath(async (die) => {
      const { service, id } = await submitAndDie(die);
      if (id === undefined) {
        seen.add('nothing');
        expect(await listBatches(service, { limit: 10 })).toEqual({ batches: [] });
        expect(await takeTickets(service)).toEqual([]);
        return;
      }
      seen.add((await batchStatus(service, id)).state);
      await service.clock.advance(PLANNING_STALE_MS);
      await sweep(service);
      await service.clock.advance(1);
      await sweep(service);
      expect(await batchStatus(service, id)).toMatchObject({ state: 'running', total: 13, pending: 13 });
      expect(new Set((await takeTickets(service)).map(({ shard }) => shard))).toEqual(new Set([0, 1, 2]));
      expect(service.warned).toEqual([]);
      const { batch, shards } = await look(service, id);
      expect(batch).toEqual(whole.batch);
      const started = { epoch: expect.any(Number) as number, rev: expect.any(Number) as number };
      expect(shards).toMatchObject(whole.shards?.map((shard) => ({ ...shard, ...started })) ?? []);
    });
    expect(seen).toEqual(new Set(['nothing', 'planning', 'running']));
  });

  test('leaves nothing to see, or a batch that is set going at once when its host starts again', async () => {
    const whole = await undisturbed();
    await forEachDeath(async (die) => {
      const { service, id } = await submitAndDie(die);
      await recoverAfterRestart(service);
      expect(service.warned).toEqual([]);
      if (id === undefined) {
        expect(await takeTickets(service)).toEqual([]);
        return;
      }
      expect(new Set((await takeTickets(service)).map(({ shard }) => shard))).toEqual(new Set([0, 1, 2]));
      expect(await look(service, id)).toEqual(whole);
    });
  });
});
