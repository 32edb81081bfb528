import { hash, randomBytes } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createObjectWriter, MAX_PARTS, partBytesFor } from '../../../core/download/object-writer.ts';
import { ObjectStoreError } from '../../../core/ports/object-store.ts';
import { createMemoryStore } from '../../helpers/memory-store.ts';

const KIB = 1024;
const MIB = 1024 ** 2;
const TIB = 1024 ** 4;

describe('an object writer', () => {
  test('whatever the pieces, the object is their sum', async () => {
    const body = randomBytes(3 * MIB);
    const sizes = fc.array(fc.oneof(fc.nat(100), fc.nat(300 * KIB)), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(
        sizes,
        fc.constantFrom(1000, 128 * KIB, 200 * KIB, MIB),
        fc.boolean(),
        async (lengths, partBytes, known) => {
          const store = createMemoryStore();
          const pieces: Buffer[] = [];
          let at = 0;
          for (const length of lengths) pieces.push(body.subarray(at, (at += length)));
          const whole = Buffer.concat(pieces);
          const digest = hash('sha256', whole);
          {
            const limit = known ? { limitBytes: whole.length } : {};
            await using writer = createObjectWriter(store, 'k', { contentType: 'a/b' }, { partBytes, ...limit });
            for (const piece of pieces) {
              const copy = Buffer.from(piece);
              await writer.write(copy);
              copy.fill(0); // a piece is the caller's again
            }
            await writer.finish(digest);
          }
          const inParts = whole.length > partBytes;
          expect(store.objects.get('k')?.body.equals(whole)).toBe(true);
          expect(store.objects.get('k')).toMatchObject({ contentType: 'a/b' });
          expect(store.objects.get('k')?.metadata).toEqual(inParts ? undefined : { 'downburst-sha256': digest });
          expect(store.calls).toMatchObject({
            put: inParts ? 0 : 1,
            createUpload: inParts ? 1 : 0,
            putPart: inParts ? Math.ceil(whole.length / partBytes) : 0,
            abortUpload: 0,
          });
        },
      ),
      { numRuns: 60 },
    );
  });

  test('an object of many parts takes the memory of a few', async () => {
    const store = createMemoryStore();
    const memory = new Set<ArrayBufferLike>();
    const watched = {
      ...store,
      putPart: (...part: Parameters<typeof store.putPart>) => {
        memory.add(part[3].buffer);
        return store.putPart(...part);
      },
    };
    {
      await using writer = createObjectWriter(watched, 'k', {}, { partBytes: 100 * KIB });
      for (let piece = 0; piece < 500; piece++) await writer.write(Buffer.alloc(4 * KIB));
      await writer.finish();
    }
    expect(store.calls.putPart).toBe(20);
    // One that fills, two on their way; the first part's bytes came before it was known to be one.
    expect(memory.size).toBeLessThanOrEqual(4);
  });

  test('nothing is visible before the end, and nothing at all without one', async () => {
    for (const bytes of [10, 300 * KIB]) {
      const store = createMemoryStore();
      {
        await using writer = createObjectWriter(store, 'k', {}, { partBytes: 128 * KIB });
        await writer.write(Buffer.alloc(bytes));
        expect(store.objects.size).toBe(0);
      }
      expect(store.objects.size).toBe(0);
      expect(store.openUploads).toBe(0);
      expect(store.calls.abortUpload).toBe(store.calls.createUpload);
    }
  });

  test('a store that takes its time is sent two parts at once, and the writer waits', async () => {
    const gate = Promise.withResolvers<undefined>();
    const store = createMemoryStore({ before: (call) => (call === 'putPart' ? gate.promise : undefined) });
    await using writer = createObjectWriter(store, 'k', {}, { partBytes: 128 * KIB });
    let written = 0;
    const writing = (async () => {
      for (; written < 6; written++) await writer.write(Buffer.alloc(128 * KIB, written));
    })();
    for (let turn = 0; turn < 100; turn++) await setImmediate();
    expect(written).toBe(3); // two parts under way, and one that is full
    gate.resolve(undefined);
    await writing;
    await writer.finish();
    expect(store.peakParts).toBe(2);
    expect(store.objects.get('k')?.body).toHaveLength(6 * 128 * KIB);
  });

  test('a part that fails fails what is written after it', async () => {
    const store = createMemoryStore({
      before: (call) => {
        if (call === 'putPart') throw new ObjectStoreError('UNAVAILABLE', 'lost');
      },
    });
    await using writer = createObjectWriter(store, 'k', {}, { partBytes: 128 * KIB });
    const writeMuch = async () => {
      for (let i = 0; i < 10; i++) await writer.write(Buffer.alloc(128 * KIB));
    };
    await expect(writeMuch()).rejects.toThrow('lost');
    expect(store.calls.putPart).toBeLessThan(4);
    await writer.abort();
    await writer.abort();
    expect(store.calls).toMatchObject({ createUpload: 1, abortUpload: 1, completeUpload: 0 });
  });

  test('more than the announced limit is refused', async () => {
    for (const limitBytes of [0, 10, 200 * KIB, 300 * KIB]) {
      await using writer = createObjectWriter(createMemoryStore(), 'k', {}, { partBytes: 128 * KIB, limitBytes });
      await writer.write(Buffer.alloc(limitBytes));
      await expect(writer.write(Buffer.alloc(1))).rejects.toThrow(RangeError);
    }
  });
});

test.each([
  [0, 8 * MIB],
  [8 * MIB + 1, 8 * MIB],
  [80_000 * MIB, 8 * MIB],
  [80_000 * MIB + 1, 9 * MIB],
  [50 * TIB, 5243 * MIB],
])('an object of %i bytes has parts of %i, at most 10,000 of them', (bytes, partBytes) => {
  expect(partBytesFor(bytes)).toBe(partBytes);
  expect(bytes / partBytes).toBeLessThanOrEqual(MAX_PARTS);
});
