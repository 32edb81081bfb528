import { getEventListeners, once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  createDownloadRig,
  jobFor,
  type DownloadRig,
  type DownloadRigOptions,
  type JobOptions,
} from '../../helpers/download.ts';
import { file, redirect, silence, stall, zeros } from '../../helpers/origin-answers.ts';
import { startOrigin, type Answer, type Origin } from '../../helpers/origin.ts';
import { until } from '../../helpers/until.ts';
import { startBlackHole } from '../../helpers/black-hole.ts';
import type { StoreCall } from '../../helpers/memory-store.ts';
import { watchClientSockets } from '../../helpers/client-sockets.ts';

const MIB = 1024 ** 2;

/** Never, except for who waits with a signal. */
const untilAborted = (signal?: AbortSignal) =>
  new Promise<never>((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error)));

/** A store in which one kind of call hangs until it is aborted. */
const hangingAt = (hanging: StoreCall): DownloadRigOptions => ({
  store: { before: (call, _, { signal }) => (call === hanging ? untilAborted(signal) : undefined) },
});

interface Phase {
  rig?: DownloadRigOptions;
  answer?: Answer;
  url?: (origin: Origin) => string | Promise<string>;
  job?: (signal: AbortSignal) => JobOptions;
  /** The attempt has come as far as that. */
  reached: (rig: DownloadRig, origin: Origin) => boolean;
}

const standing = (rig: DownloadRig, ms: number) => rig.clock.nextDue() === rig.clock.now() + ms;

const PHASES: Record<string, Phase> = {
  'while it looks for an existing object': {
    rig: hangingAt('head'),
    job: () => ({ options: { ownPrefix: false } }),
    reached: ({ store }) => store.calls.head === 1,
  },
  'while the host is looked up': {
    rig: { resolve: () => new Promise(() => undefined) },
    url: () => 'http://source.test/',
    reached: ({ clock }) => clock.pending() === 1,
  },
  'while it connects': {
    url: async () => `http://127.0.0.1:${await startBlackHole()}/`,
    reached: ({ clock }) => clock.pending() === 1,
  },
  'during the TLS handshake': {
    url: async () => {
      const server = createServer((socket) => socket.on('error', () => undefined).resume()).listen(0, '127.0.0.1');
      await once(server, 'listening');
      onTestFinished(() => void server.close());
      return `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    },
    reached: ({ clock }) => clock.pending() === 1,
  },
  'while it waits for headers': { answer: silence, reached: (_, origin) => origin.requests.length === 1 },
  'while it discards an answer': {
    answer: ({ response }) => void response.writeHead(404, { 'content-length': 10 }).write('x'),
    reached: (rig) => standing(rig, 1000),
  },
  'while it waits for a slot of another host': {
    answer: redirect('http://other.test/'),
    job: (signal) => ({ enterHost: () => untilAborted(signal) }),
    reached: ({ clock }, origin) => origin.requests.length === 1 && clock.pending() === 1,
  },
  'during a small body': {
    answer: stall('hello', 100),
    job: () => ({ options: { timeouts: { connectMs: 10_000, headersMs: 8000, idleMs: 5000 } } }),
    reached: (rig) => standing(rig, 5000),
  },
  'during a large body': {
    answer: stall(Buffer.alloc(12 * MIB), 20 * MIB),
    reached: ({ store }) => store.calls.putPart === 1,
  },
  'while it puts the object': { rig: hangingAt('put'), reached: ({ store }) => store.calls.put === 1 },
  'while it begins an upload': {
    // Without a signal, since its id must be known to be aborted; it is answered after the abort.
    rig: { store: { before: (call) => (call === 'createUpload' ? afterAbort.promise : undefined) } },
    answer: zeros(20 * MIB),
    reached: ({ store }) => store.calls.createUpload === 1,
  },
  'while it puts a part': {
    rig: hangingAt('putPart'),
    answer: zeros(40 * MIB),
    reached: ({ store }) => store.calls.putPart === 2,
  },
  'while it waits for memory': {
    rig: { ...hangingAt('putPart'), budgetBytes: 8 * MIB },
    answer: zeros(20 * MIB),
    reached: ({ budget }) => budget.waiting === 1,
  },
  'while it completes the upload': {
    rig: hangingAt('completeUpload'),
    answer: zeros(20 * MIB),
    reached: ({ store }) => store.calls.completeUpload === 1,
  },
};

let afterAbort = Promise.withResolvers<undefined>();

describe('an aborted download rejects with the reason given and leaves nothing behind', () => {
  test.each(Object.entries(PHASES))('%s', async (name, { rig: rigOptions, answer, url, job, reached }) => {
    afterAbort = Promise.withResolvers();
    const origin = await startOrigin({ '/a': answer ?? file('a') });
    const target = (await url?.(origin)) ?? origin.url('/a');
    const sockets = watchClientSockets();
    const rig = createDownloadRig(rigOptions);
    const controller = new AbortController();
    const reason = new Error('the lease is lost');

    const { signal } = controller;
    const end = expect(rig.download(jobFor(target, { ...job?.(signal), signal })), name).rejects.toBe(reason);
    await until(() => reached(rig, origin));
    await setImmediate();
    controller.abort(reason);
    await setImmediate();
    afterAbort.resolve(undefined);
    await end;

    expect(rig.clock.pending()).toBe(0);
    expect(rig.budget.reservedBytes).toBe(0);
    expect(rig.budget.waiting).toBe(0);
    expect(rig.store.objects.size).toBe(0);
    expect(rig.store.openUploads).toBe(0);
    expect(rig.store.calls.abortUpload).toBe(rig.store.calls.createUpload);
    await rig.close(); // a connection that was free already is kept until then
    expect(sockets.every((socket) => socket.destroyed)).toBe(true);
    await until(() => origin.openConnections === 0);
  });

  test('before it begins', async () => {
    const origin = await startOrigin({ '/a': file('a') });
    const rig = createDownloadRig();
    const reason = new Error('too late');
    const job = jobFor(origin.url('/a'), { signal: AbortSignal.abort(reason) });
    await expect(rig.download(job)).rejects.toBe(reason);
    expect(origin.connections).toBe(0);
    expect(rig.clock.pending()).toBe(0);
  });

  test('a signal that outlives many downloads keeps no listener of theirs', async () => {
    const origin = await startOrigin({ '/a': file('a'), '/large': zeros(20 * MIB) });
    const rig = createDownloadRig();
    const { signal } = new AbortController();
    for (const path of ['/a', '/missing', '/large']) {
      await rig.download(jobFor(origin.url(path), { signal })).catch(() => undefined);
      expect(getEventListeners(signal, 'abort')).toEqual([]);
    }
  });
});
