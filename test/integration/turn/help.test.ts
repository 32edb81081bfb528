import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { batchStatus } from '../../../core/batch/status.ts';
import type { PartsJob } from '../../../core/download/downloader.ts';
import { createBatchRig, SECRET } from '../../helpers/batch-rig.ts';
import { freshTurn } from '../../helpers/fresh-turn.ts';
import { createMemoryStore } from '../../helpers/memory-store.ts';
import { startOrigin, type Answer, type Origin } from '../../helpers/origin.ts';
import { until } from '../../helpers/until.ts';
import { rangeOf, serve, version } from '../../helpers/versions.ts';
import { shardOf } from '../../unit/batch/outcomes.ts';
import { createService, objectsOf, submit } from '../../unit/batch/service.ts';

const PART_BYTES = 16;
const PARTS = 120;
const FILE = version('A', PARTS * PART_BYTES);
/** Another worker is asked whenever there are connections for it. */
const help = { workerBytesPerSecond: 0, worthMs: 0, measureMs: 0 };
const sizes = { leastPartBytes: PART_BYTES, splitBytes: 4 * PART_BYTES, help };
const CONNECTIONS = 8;

/** Serves the file; the stream waits behind its first part for `gate`, and parts for `hold`. */
function createSource(gate: Promise<unknown>, hold?: (part: number) => Promise<unknown> | undefined) {
  let open = 0;
  let peak = 0;
  const answer: Answer = async (visit) => {
    const { request, response } = visit;
    peak = Math.max(peak, (open += 1));
    response.once('close', () => (open -= 1));
    const range = rangeOf(request.headers);
    if (range && range.to < Infinity) {
      await hold?.(range.from / PART_BYTES + 1);
      await setImmediate();
      await serve(FILE)(visit);
      return;
    }
    const from = range?.from ?? 0;
    const headers = { etag: FILE.etag, 'accept-ranges': 'bytes', 'content-length': FILE.body.length - from };
    const contentRange = `bytes ${from}-${FILE.body.length - 1}/${FILE.body.length}`;
    response.writeHead(range ? 206 : 200, { ...headers, ...(range && { 'content-range': contentRange }) });
    response.write(FILE.body.subarray(from, from + PART_BYTES));
    await gate;
    response.end(FILE.body.subarray(from + PART_BYTES));
  };
  return { answer, peak: () => peak };
}

/** The parts that were asked for one by one, in their order. */
function partsAsked({ requests }: Origin): number[] {
  const ranges = requests.flatMap(({ headers }) => rangeOf(headers) ?? []).filter(({ to }) => to < Infinity);
  return ranges.map(({ from }) => from / PART_BYTES + 1).sort((a, b) => a - b);
}

test('where one worker is the limit others fetch parts of its file, each part once, over connections that it has lent', async () => {
  const rig = await createBatchRig(sizes);
  const gate = Promise.withResolvers<undefined>();
  const source = createSource(gate.promise, (part) => {
    if (part < PARTS / 4) gate.resolve(undefined);
    return undefined;
  });
  const origin = await rig.startOrigin({ '/large': source.answer });
  const { outcomes, status } = await rig.run([origin.url('/large')], { connectionsPerHost: CONNECTIONS });
  expect(outcomes).toMatchObject([{ state: 'done', bytes: FILE.body.length, attempts: 1 }]);
  expect(rig.stored(outcomes[0])?.equals(FILE.body)).toBe(true);
  expect(rig.helped.length).toBeGreaterThan(1);
  const asked = partsAsked(origin);
  expect(asked).toEqual([...new Set(asked)]);
  for (const { first, last } of rig.helped) expect(asked).toContain(first + Math.floor((last - first) / 2));
  expect(source.peak()).toBeLessThanOrEqual(CONNECTIONS);
  for (const { headers } of origin.requests) expect(headers.authorization).toContain(SECRET);
  expect(rig.store.calls).toMatchObject({ createUpload: 1, completeUpload: 1, abortUpload: 0 });
  // What helpers were for is gone with them.
  for (let n = 1; n <= rig.helped.length; n++) {
    expect(await rig.service.ledger.getHelper(status.id, `F1.${n}`)).toBeUndefined();
  }
  expect((await objectsOf(rig.service)).filter((key) => key.includes('/waiting/'))).toEqual([]);
});

test('what a source refuses to a helper the worker that asked fetches itself, and after three in vain it asks no more', async () => {
  const rig = await createBatchRig(sizes);
  const gate = Promise.withResolvers<undefined>();
  const source = createSource(gate.promise, (part) => {
    if (part < PARTS / 4) gate.resolve(undefined);
    return undefined;
  });
  const refused = new Map<PartsJob, number>();
  const origin = await rig.startOrigin({
    '/large': (visit) => {
      const part = (rangeOf(visit.request.headers)?.from ?? 0) / PART_BYTES + 1;
      const job = rig.helped.findLast(({ first, last }) => part >= first && part <= last);
      const times = job ? (refused.get(job) ?? 0) : Infinity;
      // Both of a helper's connections, and nobody else who comes for its parts.
      if (!job || times >= job.connections) return source.answer(visit);
      refused.set(job, times + 1);
      visit.response.writeHead(403).end();
    },
  });
  const { outcomes } = await rig.run([origin.url('/large')], { connectionsPerHost: CONNECTIONS });
  expect(outcomes).toMatchObject([{ state: 'done', attempts: 1 }]);
  expect(rig.stored(outcomes[0])?.equals(FILE.body)).toBe(true);
  expect(refused.size).toBeGreaterThan(0);
  expect(rig.helped.length).toBeLessThanOrEqual(3);
});

test('an upload that is given up while a helper has parts on their way is aborted once more when that has ended', async () => {
  const rig = await createBatchRig(sizes);
  const next = version('B', FILE.body.length);
  const later: (() => unknown)[] = [];
  let ranges = 0;
  let held = 0;
  const origin = await rig.startOrigin({
    '/large': async (visit) => {
      const range = rangeOf(visit.request.headers);
      const part = (range?.from ?? 0) / PART_BYTES + 1;
      if (range && rig.helped.some(({ first, last }) => part >= first && part <= last)) {
        // Its requests are not answered; who comes now finds another version.
        if ((held += 1) === 2) later.forEach((answer) => answer());
      } else if (held >= 2) await serve(next)(visit);
      else if (!range) {
        const headers = { etag: FILE.etag, 'accept-ranges': 'bytes', 'content-length': FILE.body.length };
        visit.response.writeHead(200, headers).write(FILE.body.subarray(0, PART_BYTES));
      } else if ((ranges += 1) > 20) later.push(() => serve(next)(visit));
      else {
        await setImmediate();
        await serve(FILE)(visit);
      }
    },
  });
  const { outcomes } = await rig.run([origin.url('/large')], { connectionsPerHost: CONNECTIONS });
  expect(outcomes).toMatchObject([{ state: 'done' }]);
  expect(rig.stored(outcomes[0])?.equals(next.body)).toBe(true);
  expect(rig.helped.length).toBeGreaterThan(0);
  const abortUpload = 1 + rig.helped.length;
  expect(rig.store.calls).toMatchObject({ createUpload: 2, completeUpload: 1, abortUpload });
});

test('a record that comes late, of a helper that its shard does not name, is not taken, whatever ticket comes for it', async () => {
  const service = { ...(await createService({ maxShards: 1 })), files: createMemoryStore() };
  const { clock, ledger, tickets } = service;
  const id = await submit(service, ['https://a.test/large']);
  await tickets.receive(1, 900_000); // that of the shard
  const late = { batchId: id, name: 'F1.1', shard: 0, rev: 1, askedAt: clock.now(), leaseUntil: 0 };
  await ledger.createHelper(late);
  await tickets.send([{ batchId: id, shard: 0, helper: 'F1.1' }]);
  expect(await freshTurn(service, sizes, { turnMs: 900_000, stop: new AbortController().signal })).toBe('acknowledge');
  expect(await ledger.getHelper(id, 'F1.1')).toEqual(late);
});

test('a helper works on while its file changes workers; the next one leaves it its parts, and takes them in', async () => {
  const held = Promise.withResolvers<undefined>();
  const slow = new Set<number>();
  const source = createSource(held.promise, (part) => (slow.has(part) ? held.promise : undefined));
  const origin = await startOrigin({ '/large': source.answer });
  const files = createMemoryStore();
  const service = { ...(await createService({ maxShards: 1 })), files };
  const { clock, ledger, state, tickets } = service;
  const id = await submit(service, [origin.url('/large')], { options: { connectionsPerHost: 5 } });
  const stop = new AbortController();
  const turn = (signal: AbortSignal) => freshTurn(service, sizes, { turnMs: 900_000, stop: signal });

  const first = turn(stop.signal);
  await until(async () => (await ledger.getHelper(id, 'F1.1')) !== undefined && (await tickets.hasVisible()));
  const order = JSON.parse(String(await state.get(`batches/${id}/waiting/F1.1/order.json`))) as {
    first: number;
    last: number;
  };
  for (let part = order.first + 1; part <= order.last; part++) slow.add(part);
  const helper = turn(new AbortController().signal);
  await until(() => partsAsked(origin).filter((part) => slow.has(part)).length >= 2);
  stop.abort();
  expect(await first).toBe('keep');
  expect(await shardOf(service, id, 0)).toMatchObject({ helpers: ['F1.1'] });

  const next = turn(new AbortController().signal);
  const isClosed = async () => (await ledger.getBatch(id))?.closedAt !== undefined;
  await until(async () => (await batchStatus(service, id)).bytes > 0);
  held.resolve(undefined);
  await helper;
  for (let waits = 0; waits < 100 && !(await isClosed()); waits++) {
    await setImmediate();
    await turn(new AbortController().signal);
    await clock.advance(2000);
  }
  await next;
  const [stored] = [...files.objects.values()];
  expect(stored?.body.equals(FILE.body)).toBe(true);
  const asked = partsAsked(origin).filter((part) => part > order.first && part <= order.last);
  expect(asked).toEqual([...slow].sort((a, b) => a - b));
  expect(files.openUploads).toBe(0);
});
