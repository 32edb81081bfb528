import { createHash, randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { CallOptions, ObjectStore } from '../../../core/ports/object-store.ts';
import { createBatchRig } from '../../helpers/batch-rig.ts';
import type { ManualClock } from '../../helpers/manual-clock.ts';
import { createMemoryStore, type StoreCall } from '../../helpers/memory-store.ts';
import { cutOff, drip, file, inOrder, raw, stall, zeros } from '../../helpers/origin-answers.ts';
import type { Answer } from '../../helpers/origin.ts';
import { expectOutcome, expectSeen, play, SIGNED } from './play.ts';

const MIB = 1024 ** 2;
const SECOND = 1000;
const MINUTE = 60 * SECOND;

describe('a body that', () => {
  test.each<[string, Answer]>([
    ['with its length declared', stall('hello', 100)],
    ['chunked', stall('hello', 'chunked')],
    ['ended by close', stall('hello', 'close')],
    ['stored in parts', stall(Buffer.alloc(12 * MIB), 20 * MIB)],
  ])('stops for good, %s, is retried after the limit', async (_, answer) => {
    const { times, rig } = await expectSeen(answer, { code: 'IDLE_TIMEOUT', httpStatus: 200, attempts: 6 });
    expect(times[1]).toBeGreaterThanOrEqual(30 * SECOND);
    expect(rig.store.calls.abortUpload).toBe(rig.store.calls.createUpload);
  });

  test('drips below the lowest speed is retried after the limit', async () => {
    const head = raw('HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n');
    const answer = inOrder(head, drip('x'.repeat(10_000), 1, 20 * SECOND));
    const { times } = await expectSeen(answer, { code: 'TOO_SLOW', httpStatus: 200, attempts: 6 });
    expect(times[1]).toBeGreaterThanOrEqual(MINUTE);
  });

  test('drips just above the lowest speed is done, however little comes last', async () => {
    const body = 'x'.repeat(200_000);
    const head = raw(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`);
    const { rig } = await expectSeen(inOrder(head, drip(body, 22_000, 20 * SECOND)), { stored: body, attempts: 1 });
    expect(rig.clock.now() - rig.startedAt).toBeGreaterThanOrEqual(3 * MINUTE);
  });

  /** A store in which each part takes so long. */
  const parts = (ms: number) => (clock: ManualClock) => ({
    before: async (call: StoreCall, _key: string, { signal }: CallOptions) => {
      if (call === 'putPart') await clock.sleep(ms, signal);
    },
  });

  test('waits for a slow object store is done: the time is not held against the source', async () => {
    const body = randomBytes(40 * MIB);
    const played = await play(file(body), {}, { budgetBytes: 16 * MIB, store: parts(2 * MINUTE) });
    expectOutcome(played, { stored: body, attempts: 1 });
    expect(played.rig.clock.now() - played.rig.startedAt).toBeGreaterThanOrEqual(5 * MINUTE);
  });

  test('stops while the object store is slow is retried after the limit', async () => {
    const stalled = stall(Buffer.alloc(12 * MIB), 40 * MIB);
    const played = await play(stalled, { maxAttempts: 3 }, { budgetBytes: 16 * MIB, store: parts(2 * MINUTE) });
    expectOutcome(played, { code: 'IDLE_TIMEOUT', httpStatus: 200, attempts: 3 });
  });

  test.each<[string, Answer, number]>([
    ['chunked', zeros(2 ** 50, 'chunked'), 20 * MIB],
    ['ended by close', zeros(2 ** 50, 'close'), 20 * MIB],
    ['declared', zeros(2 ** 50), 20 * MIB],
    ['small, one byte more than allowed', file('hello', {}, 'chunked'), 4],
  ])('is endless, %s, fails at maxBytes', async (_, answer, maxBytes) => {
    const { rig } = await expectSeen(answer, { code: 'TOO_LARGE', httpStatus: 200, attempts: 1 }, { maxBytes });
    expect(rig.store.calls.abortUpload).toBe(rig.store.calls.createUpload);
  });

  test('is larger than any memory is done, in no more memory than a small one of many parts', async () => {
    const bytes = 300 * MIB + 7;
    let parts = 0;
    const hash = createHash('sha256');
    const forgetful: ObjectStore = {
      ...createMemoryStore(),
      putPart: (_key, _id, number, body) => {
        parts += 1;
        return Promise.resolve({ number, etag: String(number), bytes: body.length });
      },
      completeUpload: () => Promise.resolve(),
    };
    for (let left = bytes; left > 0; left -= MIB) hash.update(Buffer.alloc(Math.min(MIB, left)));
    const rig = await createBatchRig({ files: forgetful, budgetBytes: 16 * MIB });
    const origin = await rig.startOrigin({ '/file.bin': zeros(bytes) });
    const { outcomes } = await rig.run([origin.url(SIGNED)]);
    expect(outcomes).toMatchObject([{ state: 'done', bytes, sha256: hash.digest('hex'), attempts: 1 }]);
    expect(parts).toBe(38);
    expect(rig.budget.peakBytes).toBeLessThanOrEqual(16 * MIB);
  });
});

describe('Content-Encoding gzip', () => {
  const zipped = gzipSync(randomBytes(100_000));
  const encoding = { 'content-encoding': 'gzip' };

  test.each<[string, Buffer]>([
    ['sound', zipped],
    ['truncated, whole by its framing', zipped.subarray(0, 50_000)],
    ['a bomb', gzipSync(Buffer.alloc(50 * MIB))],
    ['a lie', Buffer.from('not compressed at all')],
  ])('%s: stored as it came, encoding recorded', async (_, body) => {
    for (const framing of ['length', 'chunked'] as const) {
      const { rig } = await expectSeen(file(body, encoding, framing), { stored: body, attempts: 1 });
      expect([...rig.store.objects.values()]).toMatchObject([{ contentEncoding: 'gzip' }]);
    }
  });

  test('truncated, also by its framing: retried', async () => {
    const answer = cutOff(zipped.subarray(0, 50_000), 'chunked');
    await expectSeen(answer, { code: 'TRUNCATED', httpStatus: 200, attempts: 6 });
  });
});
