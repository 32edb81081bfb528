import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { readOutcomes } from '../../../core/batch/results.ts';
import { batchStatus } from '../../../core/batch/status.ts';
import { TURN_END_MS } from '../../../core/model/limits.ts';
import type { Outcome } from '../../../core/model/outcome.ts';
import type { WaitingList } from '../../../core/turn/waiting.ts';
import { createBatchRig } from '../../helpers/batch-rig.ts';
import { freshTurn } from '../../helpers/fresh-turn.ts';
import { createMemoryStore } from '../../helpers/memory-store.ts';
import { file } from '../../helpers/origin-answers.ts';
import { startOrigin, type Answer, type Origin } from '../../helpers/origin.ts';
import { until } from '../../helpers/until.ts';
import { rangeOf, serve, version } from '../../helpers/versions.ts';
import { changeShard, shardOf } from '../../unit/batch/outcomes.ts';
import { createService, submit } from '../../unit/batch/service.ts';

const PART_BYTES = 16;
const PARTS = 40;
const FILE = version('A', PARTS * PART_BYTES);
const TURN_MS = 15 * 60_000;

/** A batch of these paths, in one shard, and workers that know nothing of each other. */
async function startBatch(origin: Origin, paths: string[], options: object = {}) {
  const files = createMemoryStore();
  const service = { ...(await createService({ maxShards: 1 })), files, random: () => 1 - Number.EPSILON };
  const { clock } = service;
  const id = await submit(
    service,
    paths.map((path) => origin.url(path)),
    { options },
  );
  const stop = new AbortController().signal;

  const turn = () =>
    freshTurn(service, { leastPartBytes: PART_BYTES, splitBytes: 4 * PART_BYTES }, { turnMs: TURN_MS, stop });

  return {
    files,
    service,
    id,
    turn,
    async finish(): Promise<Outcome[]> {
      while ((await service.ledger.getBatch(id))?.closedAt === undefined) {
        if (!(await turn())) await clock.advance(60_000);
      }
      const outcomes = await Array.fromAsync(readOutcomes(service.state, await shardOf(service, id, 0)));
      return outcomes.sort((a, b) => a.index - b.index);
    },
    async waiting(): Promise<WaitingList['entries']> {
      const { waiting } = await shardOf(service, id, 0);
      const body = waiting === undefined ? undefined : await service.state.get(waiting);
      return body ? (JSON.parse(String(body)) as WaitingList).entries : [];
    },
    /** Another worker has taken the shard over. */
    async loseLease(): Promise<void> {
      const { epoch } = await shardOf(service, id, 0);
      await changeShard(service, id, 0, { epoch: epoch + 1, owner: undefined, leaseUntil: 0 });
    },
    stored: () => [...files.objects].find(([key]) => key.includes('large'))?.[1].body.equals(FILE.body),
  };
}

/** Serves ranges of the file, so many at once at most that count; the stream waits for the file's last quarter. */
function createSource(hold?: (n: number) => Promise<unknown> | undefined) {
  let open = 0;
  let peak = 0;
  let ranges = 0;
  const gate = Promise.withResolvers<undefined>();
  const counted =
    (answer: Answer): Answer =>
    async (visit) => {
      peak = Math.max(peak, (open += 1));
      let isOpen = true;
      const over = () => {
        if (isOpen) open -= 1;
        isOpen = false;
      };
      visit.response.once('finish', over);
      visit.response.once('close', over);
      await answer(visit);
    };
  const large = counted(async (visit) => {
    if (rangeOf(visit.request.headers)) {
      if (++ranges >= PARTS / 4) gate.resolve(undefined);
      await hold?.(ranges);
      await setImmediate();
      await serve(FILE)(visit);
      return;
    }
    const { response } = visit;
    response.writeHead(200, { etag: FILE.etag, 'accept-ranges': 'bytes', 'content-length': FILE.body.length });
    response.write(FILE.body.subarray(0, PART_BYTES));
    await gate.promise;
    response.end(FILE.body.subarray(PART_BYTES));
  });
  return { large, counted, peak: () => peak, ranges: () => ranges };
}

test('a large file has the connections that its shard has to spare, and no more than its host may have', async () => {
  const source = createSource();
  const origin = await startOrigin({ '/large': source.large });
  const batch = await startBatch(origin, ['/large'], { connectionsPerHost: 6 });
  expect(await batch.finish()).toMatchObject([{ state: 'done', bytes: FILE.body.length, attempts: 1 }]);
  expect(batch.stored()).toBe(true);
  expect(source.peak()).toBeGreaterThan(2);
  expect(source.peak()).toBeLessThanOrEqual(6);
  expect(batch.files.calls).toMatchObject({ createUpload: 1, completeUpload: 1, abortUpload: 0 });
});

test('the other entries of the host come before the parts of a large file', async () => {
  const source = createSource();
  const small = Array.from({ length: 30 }, (_, n) => `/small-${n}`);
  const order: string[] = [];
  const origin = await startOrigin({ '/large': source.large });
  for (const path of small) {
    origin.on(
      path,
      source.counted(async (visit) => {
        order.push(path);
        await setImmediate();
        await file(path)(visit);
      }),
    );
  }
  const batch = await startBatch(origin, ['/large', ...small], { connectionsPerHost: 4 });
  const outcomes = await batch.finish();
  expect(outcomes.map(({ state }) => state)).toEqual(outcomes.map(() => 'done'));
  expect(order).toHaveLength(small.length);
  const paths = origin.requests.map(({ path }) => path);
  // One part may have been asked for before the first of them was due, for each connection.
  expect(paths.slice(0, small.length).filter((path) => path === '/large').length).toBeLessThanOrEqual(5);
  expect(source.peak()).toBeLessThanOrEqual(4);
  expect(batch.stored()).toBe(true);
});

test('what has landed is in the checkpoint after five seconds, counts in the status, and is not fetched again', async () => {
  const stalled = Promise.withResolvers<undefined>();
  const source = createSource((n) => (n > 8 ? stalled.promise : undefined));
  const origin = await startOrigin({ '/large': source.large });
  const batch = await startBatch(origin, ['/large'], { connectionsPerHost: 4 });
  const { clock } = batch.service;
  const first = batch.turn();
  // All but those of the three lent connections.
  await until(() => batch.files.calls.putPart === PARTS - 3);
  await clock.advance(5000);
  await until(async () => ((await batch.waiting())[0]?.partial?.parts.length ?? 0) === PARTS - 3);
  const known = (await batch.waiting())[0]?.partial?.parts ?? [];
  const bytes = known.length * PART_BYTES;
  const status = await batchStatus(batch.service, batch.id);
  expect(status).toMatchObject({ bytes, done: 0, pending: 1, total: 1 });
  expect(status.rate.bytesPerSecond).toBeGreaterThan(0);

  await batch.loseLease();
  await clock.advance(20_000);
  expect(await first).toBe('keep');
  stalled.resolve(undefined);
  const before = origin.requests.length;
  await clock.advance(80_000);
  expect(await batch.finish()).toMatchObject([{ state: 'done', bytes: FILE.body.length }]);
  expect(batch.stored()).toBe(true);
  const there = new Set(known.map(({ number }) => (number - 1) * PART_BYTES));
  for (const { headers } of origin.requests.slice(before)) expect(there.has(rangeOf(headers)?.from ?? 0)).toBe(false);
  expect(batch.files.openUploads).toBe(0);
  expect(await batchStatus(batch.service, batch.id)).toMatchObject({ bytes: FILE.body.length });
});

test('a host that refuses parts for a while is asked for more of them later', async () => {
  let refusals = 0;
  const source = createSource();
  const origin = await startOrigin({
    '/large': (visit) => {
      if (rangeOf(visit.request.headers) && refusals < 1) {
        refusals += 1;
        visit.response.writeHead(429).end();
      } else return source.large(visit);
    },
  });
  const batch = await startBatch(origin, ['/large'], { connectionsPerHost: 4 });
  const end = batch.finish();
  await until(() => refusals > 0 && origin.requests.length >= 3);
  await batch.service.clock.advance(3000);
  expect(await end).toMatchObject([{ state: 'done', attempts: 1 }]);
  expect(source.ranges()).toBeGreaterThanOrEqual(PARTS / 4);
});

/** Sends a piece of the file every five minutes, so that the whole takes longer than a turn. */
const trickle =
  (headers: Record<string, string>): Answer =>
  async ({ response, pause }) => {
    response.writeHead(200, { ...headers, 'content-length': FILE.body.length });
    for (let at = 0; at < FILE.body.length; at += 20) {
      response.write(FILE.body.subarray(at, at + 20));
      await pause(300_000);
    }
    response.end();
  };

const patient = { timeouts: { idleMs: 600_000 }, lowSpeed: { bytesPerSecond: 0 } };

test('a stream that cannot be gone on with and does not fit into a turn fails, and says why', async () => {
  const rig = await createBatchRig();
  const origin = await rig.startOrigin({ '/large': trickle({}) });
  const { outcomes } = await rig.run([origin.url('/large')], patient);
  expect(outcomes).toMatchObject([{ state: 'failed', code: 'TOO_SLOW', attempts: 1 }]);
  expect(outcomes[0]?.message).toContain('does not fit into a turn of 15 minutes');
  expect(rig.clock.now() - rig.startedAt).toBeGreaterThanOrEqual(TURN_MS - TURN_END_MS);
  expect(origin.requests).toHaveLength(1);
});

test('one that can goes on in the next turn, from its last whole part', async () => {
  const rig = await createBatchRig({ leastPartBytes: PART_BYTES });
  let requests = 0;
  const origin = await rig.startOrigin({
    '/large': (visit) => (requests++ === 0 ? trickle({ etag: FILE.etag })(visit) : serve(FILE)(visit)),
  });
  const { outcomes } = await rig.run([origin.url('/large')], patient);
  expect(outcomes).toMatchObject([{ state: 'done', httpStatus: 206 }]);
  expect(rig.stored(outcomes[0])?.equals(FILE.body)).toBe(true);
  expect(rangeOf(origin.requests[1]?.headers ?? {})?.from).toBeGreaterThan(0);
});
