import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { ObjectStoreError } from '../../../core/ports/object-store.ts';
import { createDownloadRig, jobFor } from '../../helpers/download.ts';
import type { StoreCall } from '../../helpers/memory-store.ts';
import { cutOff, file, status, zeros, type Framing } from '../../helpers/origin-answers.ts';
import { startOrigin } from '../../helpers/origin.ts';

const MIB = 1024 ** 2;

const failed = (code: string, fields: object = {}) =>
  expect.objectContaining({ name: 'DownloadError', code, ...fields }) as unknown;

describe('memory', () => {
  test('far more and larger files than memory holds are all stored right, through a store slower than the source', async () => {
    const budgetBytes = 16 * MIB;
    const sizes = [1000, 300_000, 3 * MIB + 1, 9 * MIB, 20 * MIB]; // the last one is larger than the budget
    const framings: Framing[] = ['length', 'chunked', 'close'];
    const block = randomBytes(20 * MIB + 100);
    const files = sizes.flatMap((size, s) =>
      framings.map((framing, f) => ({
        path: `/${size}-${framing}`,
        framing,
        body: block.subarray(s * 3 + f).subarray(0, size),
      })),
    );
    const origin = await startOrigin(Object.fromEntries(files.map((f) => [f.path, file(f.body, {}, f.framing)])));
    let calls = 0;
    const rig = createDownloadRig({
      budgetBytes,
      store: {
        // A few turns of the event loop for each call, some more and some less, in which the sources fill every buffer.
        before: async () => {
          for (let turns = (calls++ * 7) % 40; turns > 0; turns--) await setImmediate();
        },
      },
    });
    const stored = await Promise.all(
      files.map(({ path }) => rig.download(jobFor(origin.url(path), { entry: { key: path.slice(1) } }))),
    );
    for (const [i, { path, body }] of files.entries()) {
      const sha256 = createHash('sha256').update(body).digest('hex');
      expect(stored[i], path).toMatchObject({ state: 'done', bytes: body.length, sha256 });
      expect(rig.store.objects.get(`files/${path.slice(1)}`)?.body.equals(body), path).toBe(true);
    }
    expect(rig.budget.peakBytes).toBeLessThanOrEqual(budgetBytes);
    expect(rig.budget.reservedBytes).toBe(0);
    expect(rig.store.peakParts).toBeLessThanOrEqual(2);
    expect(rig.store.openUploads).toBe(0);
  });

  test('a store that stands still keeps small files flowing and large ones waiting', async () => {
    const origin = await startOrigin({ '/large': zeros(40 * MIB, 'chunked'), '/small': file(Buffer.alloc(100_000)) });
    const gate = Promise.withResolvers<undefined>();
    const rig = createDownloadRig({
      budgetBytes: 16 * MIB,
      store: { before: (call) => (call === 'putPart' ? gate.promise : undefined) },
    });
    const large = Array.from({ length: 5 }, (_, i) =>
      rig.download(jobFor(origin.url('/large'), { entry: { key: `large-${i}` } })),
    );
    for (let i = 0; i < 50; i++) {
      expect(await rig.download(jobFor(origin.url('/small')))).toMatchObject({ state: 'done', bytes: 100_000 });
    }
    gate.resolve(undefined);
    expect(await Promise.all(large)).toMatchObject(large.map(() => ({ state: 'done', bytes: 40 * MIB })));
    expect(rig.budget.peakBytes).toBe(14 * MIB); // an eighth is for small rooms
  });
});

describe('a file that is there already', () => {
  const theirs = { 'downburst-batch': 'batch-0', 'downburst-index': '1' };

  test.each([
    ['that has no metadata', undefined],
    ['of another batch', theirs],
    ['of another entry', { 'downburst-batch': 'batch-1', 'downburst-index': '2' }],
  ])('%s is left alone, and its source not asked', async (_, metadata) => {
    const origin = await startOrigin({ '/a': file('new') });
    const rig = createDownloadRig();
    await rig.store.put('files/a', Buffer.from('older'), { metadata });
    const end = await rig.download(jobFor(origin.url('/a'), { options: { ownPrefix: false } }));
    expect(end).toEqual({ state: 'skipped', bytes: 5 });
    expect(rig.store.objects.get('files/a')?.body.toString()).toBe('older');
    expect(origin.connections).toBe(0);
  });

  test.each([
    ["is the entry's own", { 'downburst-batch': 'batch-1', 'downburst-index': '1' }, { ownPrefix: false }, 1],
    ['may be overwritten', theirs, { ownPrefix: false, ifExists: 'overwrite' as const }, 0],
    ["is under the batch's own prefix", theirs, { ownPrefix: true }, 0],
  ])('that %s is replaced', async (_, metadata, options, looks) => {
    const origin = await startOrigin({ '/a': file('new') });
    const rig = createDownloadRig();
    await rig.store.put('files/a', Buffer.from('older'), { metadata });
    const end = await rig.download(jobFor(origin.url('/a'), { options }));
    expect(end).toMatchObject({ state: 'done', bytes: 3 });
    expect(rig.store.objects.get('files/a')?.body.toString()).toBe('new');
    expect(rig.store.calls.head).toBe(looks);
  });

  test('stays as it was when its replacement fails', async () => {
    const origin = await startOrigin({ '/a': status(404) });
    const rig = createDownloadRig();
    await rig.store.put('files/a', Buffer.from('older'));
    await expect(rig.download(jobFor(origin.url('/a')))).rejects.toEqual(failed('NOT_FOUND'));
    expect(rig.store.objects.get('files/a')?.body.toString()).toBe('older');
  });
});

describe('an object store that fails', () => {
  const calls: StoreCall[] = ['head', 'put', 'createUpload', 'putPart', 'completeUpload'];

  test.each(calls)('in %s fails the attempt and leaves no upload', async (failing) => {
    const origin = await startOrigin({ '/a': failing === 'put' ? file('a') : zeros(40 * MIB) });
    for (const [error, code] of [
      [new ObjectStoreError('UNAVAILABLE', 'slow down'), 'STORE_FAILED'],
      [new TypeError('a bug'), 'STORE_FAILED'],
      [new ObjectStoreError('KEY_CONFLICT', 'a folder is there'), 'KEY_CONFLICT'],
    ] as const) {
      const rig = createDownloadRig({
        store: {
          before: (call) => {
            if (call === failing) throw error;
          },
        },
      });
      const download = rig.download(jobFor(origin.url('/a'), { options: { ownPrefix: false } }));
      await expect(download).rejects.toEqual(failed(code, { cause: error }));
      expect(rig.store.objects.size).toBe(0);
      expect(rig.store.openUploads).toBe(0);
      const begun = failing === 'putPart' || failing === 'completeUpload' ? 1 : 0;
      expect(rig.store.calls.abortUpload).toBe(begun);
      expect(rig.budget.reservedBytes).toBe(0);
      expect(rig.clock.pending()).toBe(0);
    }
  });

  test('in one part is told only when no other part is under way', async () => {
    const origin = await startOrigin({ '/a': zeros(40 * MIB) });
    const second = Promise.withResolvers<undefined>();
    const secondBegan = Promise.withResolvers<undefined>();
    const rig = createDownloadRig({
      store: {
        before: async (call, _, { part }) => {
          if (call !== 'putPart') return;
          if (part === 1) {
            await secondBegan.promise;
            throw new ObjectStoreError('UNAVAILABLE', 'lost');
          }
          secondBegan.resolve(undefined);
          await second.promise; // it does not hear the signal
        },
      },
    });
    let ended = false;
    const download = rig.download(jobFor(origin.url('/a')));
    const end = expect(download.finally(() => (ended = true))).rejects.toEqual(failed('STORE_FAILED'));
    await secondBegan.promise;
    for (let turn = 0; turn < 100; turn++) await setImmediate();
    expect(ended).toBe(false);
    expect(rig.store.calls.abortUpload).toBe(0);
    second.resolve(undefined);
    await end;
    expect(rig.store.calls.abortUpload).toBe(1);
    expect(rig.store.openUploads).toBe(0);
  });

  test('and stands still is not waited for when the source breaks off', async () => {
    const origin = await startOrigin({ '/a': cutOff(Buffer.alloc(12 * MIB), 20 * MIB) });
    const rig = createDownloadRig({
      store: {
        before: async (call, _, { signal }) => {
          if (call === 'putPart' && signal) await once(signal, 'abort');
        },
      },
    });
    await expect(rig.download(jobFor(origin.url('/a')))).rejects.toEqual(failed('TRUNCATED'));
    expect(rig.store.calls.putPart).toBe(1);
    expect(rig.store.openUploads).toBe(0);
  });

  test('to abort an upload, too, tells of what failed first', async () => {
    const origin = await startOrigin({ '/a': zeros(20 * MIB) });
    const rig = createDownloadRig({
      store: {
        before: (call) => {
          if (call === 'putPart') throw new ObjectStoreError('UNAVAILABLE', 'first');
          if (call === 'abortUpload') throw new ObjectStoreError('UNAVAILABLE', 'second');
        },
      },
    });
    const error: unknown = await rig.download(jobFor(origin.url('/a'))).catch((error: unknown) => error);
    expect(error).toEqual(failed('STORE_FAILED', { cause: expect.objectContaining({ message: 'first' }) as unknown }));
    expect(rig.store.calls.abortUpload).toBe(1);
  });
});
