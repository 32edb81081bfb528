import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { expect } from 'vitest';
import { batchStatus } from '../../../core/batch/status.ts';
import { failedListKey, secretsKey, summaryKey } from '../../../core/model/layout.ts';
import { DEFAULT_OPTIONS } from '../../../core/model/options.ts';
import { ObjectStoreError } from '../../../core/ports/object-store.ts';
import { createCrew, type Crew, type Parts } from '../../helpers/crew.ts';
import { everyNameIsLocal } from '../../helpers/download.ts';
import { redirect, status } from '../../helpers/origin-answers.ts';
import { startOrigin, type Answer } from '../../helpers/origin.ts';
import { until } from '../../helpers/until.ts';
import { rangeStart } from '../../helpers/versions.ts';

const MIB = 1024 ** 2;

/** Everything that can fail from without. */
export const KINDS = [
  'look-up',
  'connect',
  'request',
  'read of a body',
  'call to the state store',
  'call to the files store',
  'ledger call',
  'ticket call',
  'announcement',
] as const;
export type Kind = (typeof KINDS)[number];

/** `error`: it fails. `lost`: it succeeds, and nobody hears of it; from a source that is silence. */
export type Mode = 'error' | 'lost';

export interface Fault {
  kind: Kind;
  mode: Mode;
  /** Which of all calls of its kind, from 1. */
  n: number;
}

const SMALL = Buffer.from('a small file, in two pieces');
/** Of two parts, the first of which is in the store before the last piece is sent. */
const LARGE = Buffer.alloc(13 * MIB, 'a large file ');

/** What becomes of the list, whatever single fault befalls it. Each entry has a host, and so a look-up, of its own. */
const ENDS = [
  { path: '/small', host: 'small.test', end: { state: 'done', bytes: SMALL.length } },
  { path: '/gone', host: 'gone.test', end: { state: 'failed', code: 'NOT_FOUND', httpStatus: 404 } },
  { path: '/moved', host: 'moved.test', end: { state: 'done', bytes: SMALL.length } },
  { path: '/large', host: 'large.test', end: { state: 'done', bytes: LARGE.length } },
  // Its last attempt may be the one that meets the fault.
  { path: '/broken', host: 'broken.test', end: { state: 'failed' } },
];
const BODIES: Record<string, Buffer> = { '/small': SMALL, '/moved': SMALL, '/large': LARGE };

export interface Torture {
  /** Works a fresh batch to its end under a fault, or none; checks every promise; answers how often what was called. */
  run: (fault?: Fault) => Promise<Record<Kind, number>>;
}

/** One source for all runs; each run has a service of its own. */
export async function startTorture(): Promise<Torture> {
  let counts = noCalls();
  let fault: Fault | undefined;
  let crew: Crew;

  /** Counts a call; answers what is to happen to it. */
  function strike(kind: Kind): Mode | undefined {
    counts[kind] += 1;
    return fault?.kind === kind && fault.n === counts[kind] ? fault.mode : undefined;
  }

  async function call<T>(kind: Kind, error: Error, carryOut: () => Promise<T>): Promise<T> {
    const mode = strike(kind);
    if (mode === 'error') throw error;
    const answer = await carryOut();
    if (mode === 'lost') throw error;
    return answer;
  }

  /** A port, each of whose calls can fail. */
  function between<T extends object>(kind: Kind, error: Error, port: T): T {
    return new Proxy(port, {
      get(target, name) {
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== 'function') return method;
        const carryOut = (...args: unknown[]): unknown => Reflect.apply(method, target, args);
        if (name !== 'list') return (...args: unknown[]) => call(kind, error, () => Promise.try(carryOut, ...args));
        return async function* (...args: unknown[]) {
          yield* await call(kind, error, () => Array.fromAsync(carryOut(...args) as AsyncIterable<string>));
        };
      },
    });
  }

  function wrap(parts: Parts): Parts {
    const unavailable = new ObjectStoreError('UNAVAILABLE', 'no answer');
    const noAnswer = new Error('no answer');
    return {
      ledger: between('ledger call', noAnswer, parts.ledger),
      tickets: between('ticket call', noAnswer, parts.tickets),
      state: between('call to the state store', unavailable, parts.state),
      files: between('call to the files store', unavailable, parts.files),
      announce: (summary) => call('announcement', noAnswer, () => parts.announce(summary)),
      async resolve(name) {
        const mode = strike('look-up');
        if (mode === undefined) return everyNameIsLocal(name);
        // Silence, for as long as anybody waits.
        if (mode === 'lost') await crew.hold(new AbortController().signal, DEFAULT_OPTIONS.timeouts.connectMs);
        throw Object.assign(new Error('no answer'), { code: 'EAI_AGAIN' });
      },
    };
  }

  /** Lets the request be as it may, its connection broken, or without an answer. */
  const faulty =
    (answer: Answer): Answer =>
    async (visit) => {
      const mode = strike('request');
      if (mode === undefined) await answer(visit);
      else if (mode === 'error') visit.socket.resetAndDestroy();
      else await crew.hold(closeOf(visit.socket));
    };

  const body =
    (bytes: Buffer): Answer =>
    async (visit) => {
      const { response, socket } = visit;
      const start = rangeStart(visit.request.headers) ?? 0;
      const headers = { etag: '"1"', 'content-length': bytes.length - start };
      if (start === 0) response.writeHead(200, headers);
      else {
        const range = `bytes ${start}-${bytes.length - 1}/${bytes.length}`;
        response.writeHead(206, { ...headers, 'content-range': range });
      }
      const piece = Math.ceil(bytes.length / 3);
      for (let from = start; from < bytes.length; from += piece) {
        const mode = strike('read of a body');
        if (mode === 'error') socket.resetAndDestroy();
        if (mode === 'lost') await crew.hold(closeOf(socket));
        if (mode !== undefined) return;
        await new Promise((resolve) => response.write(bytes.subarray(from, from + piece), resolve));
      }
      response.end();
    };

  const origin = await startOrigin();
  origin.on('/small', faulty(body(SMALL)));
  origin.on('/large', faulty(body(LARGE)));
  // Into a host that the other shard works.
  origin.on('/moved', faulty(redirect(origin.url('/target', 'large.test'))));
  origin.on('/target', faulty(body(SMALL)));
  origin.on('/gone', faulty(status(404)));
  origin.on('/broken', faulty(status(500)));
  const urls = ENDS.map(({ path, host }) => origin.url(path, host));

  /** A connection that is refused while it is made. */
  function onSocket(message: unknown): void {
    const { socket } = message as { socket: Socket };
    if (strike('connect') === undefined) return;
    queueMicrotask(() => socket.destroy(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })));
  }

  async function run(next?: Fault): Promise<Record<Kind, number>> {
    counts = noCalls();
    fault = next;
    subscribe('net.client.socket', onSocket);
    try {
      crew = createCrew({ limits: { maxShards: 2, connectionsPerMixedShard: 3 }, wrap });
      await workThrough(crew, urls, fault);
      expect(crew.clock.pending(), 'timers left').toBe(0);
      await crew[Symbol.asyncDispose]();
      await until(() => origin.openConnections === 0);
      return counts;
    } finally {
      unsubscribe('net.client.socket', onSocket);
    }
  }

  return { run };
}

/** Submits, as a user who tries again after an error, and checks what everybody sees until all has ended. */
async function workThrough(crew: Crew, urls: readonly string[], fault: Fault | undefined): Promise<void> {
  const options = { maxAttempts: 3 };
  const id = await crew.submit(urls, options).catch(() => crew.submit(urls, options));
  const seen = new Map<string, number[]>();
  await crew.finish(async () => {
    for (const batch of await crew.service.ledger.listBatches({ limit: 10 })) {
      const { total, done, failed, skipped, cancelled, pending } = await batchStatus(crew.service, batch.id);
      expect(total).toBe(done + failed + skipped + cancelled + pending);
      expect(pending).toBeGreaterThanOrEqual(0);
      const now = [done, failed, skipped, cancelled];
      for (const [i, before] of (seen.get(batch.id) ?? []).entries()) expect(now[i]).toBeGreaterThanOrEqual(before);
      seen.set(batch.id, now);
    }
  });
  expect([...seen.keys()]).toContain(id);
  for (const batchId of seen.keys()) await checkEnd(crew, batchId);

  // An upload whose id, or whose end, nobody heard of is left to the store's own expiry.
  const mayStay = fault?.kind === 'call to the files store' ? 1 : 0;
  expect(crew.files.openUploads).toBeLessThanOrEqual(mayStay);
}

/** What a user sees of a batch that has ended. */
async function checkEnd(crew: Crew, batchId: string): Promise<void> {
  const { state, ledger } = crew.service;
  const outcomes = await crew.outcomes(batchId);
  expect(outcomes).toMatchObject(ENDS.map(({ end }, i) => ({ index: i + 1, ...end })));
  expect(outcomes).toHaveLength(ENDS.length);
  for (const { path, host, end } of ENDS) {
    const stored = [...crew.files.objects].filter(
      ([key]) => key.startsWith(`${batchId}/${host}`) && key.includes(path),
    );
    expect(stored).toHaveLength(end.state === 'done' ? 1 : 0);
    for (const [, { body }] of stored) expect(body.equals(BODIES[path] ?? Buffer.of())).toBe(true);
  }
  const done = ENDS.filter(({ end }) => end.state === 'done').length;
  const counts = { total: ENDS.length, done, failed: ENDS.length - done, skipped: 0, cancelled: 0 };
  expect(await batchStatus(crew.service, batchId)).toMatchObject({ ...counts, state: 'finished', pending: 0 });
  expect(JSON.parse(String(await state.get(summaryKey(batchId))))).toMatchObject(counts);
  expect(String(await state.get(failedListKey(batchId))).match(/\n/g)).toHaveLength(counts.failed);
  expect(crew.announced.filter(({ id }) => id === batchId).length).toBeGreaterThanOrEqual(1);
  expect((await ledger.getBatch(batchId))?.notifiedAt).toBeDefined();
  expect(await state.get(secretsKey(batchId))).toBeUndefined();
}

function noCalls(): Record<Kind, number> {
  return Object.fromEntries(KINDS.map((kind) => [kind, 0])) as Record<Kind, number>;
}

function closeOf(socket: Socket): AbortSignal {
  const closed = new AbortController();
  if (socket.destroyed) closed.abort();
  socket.once('close', () => closed.abort());
  return closed.signal;
}
