import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { ObjectStore } from '../../core/ports/object-store.ts';

const MIB = 1024 ** 2;

/** The smallest part that S3 takes anywhere but at the end. */
const PART_BYTES = 5 * MIB;

/** What every object store must do. `create` answers an empty one and sees to its end after the running test. */
export function describeObjectStore(name: string, create: () => Promise<ObjectStore>): void {
  describe(`${name} as an object store`, () => {
    const keysOf = (store: ObjectStore, prefix: string) => Array.fromAsync(store.list(prefix));

    describe('objects', () => {
      test('what was put is read back, byte for byte', async () => {
        const store = await create();
        const body = randomBytes(100_000);
        await store.put('a/b/c.bin', body);
        expect(await store.get('a/b/c.bin')).toEqual(body);
        expect(await store.head('a/b/c.bin')).toMatchObject({ bytes: 100_000 });
        expect(await keysOf(store, '')).toEqual(['a/b/c.bin']);
      });

      test('an empty object is an object', async () => {
        const store = await create();
        await store.put('empty', Buffer.alloc(0));
        expect(await store.get('empty')).toEqual(Buffer.alloc(0));
        expect(await store.get('empty', { from: 0, to: 10 })).toEqual(Buffer.alloc(0));
        expect(await store.head('empty')).toMatchObject({ bytes: 0 });
      });

      test('there is nothing where nothing was put', async () => {
        const store = await create();
        await store.put('a/b', Buffer.from('x'));
        for (const key of ['b', 'a', 'a/b/c', 'a/bb']) {
          expect(await store.get(key), key).toBeUndefined();
          expect(await store.get(key, { from: 1, to: 2 }), key).toBeUndefined();
          expect(await store.head(key), key).toBeUndefined();
        }
      });

      test.each([
        { from: 2, to: 5, bytes: 'cde' },
        { from: 7, to: undefined, bytes: 'hij' },
        { from: undefined, to: 3, bytes: 'abc' },
        { from: 8, to: 100, bytes: 'ij' },
        { from: 10, to: 12, bytes: '' },
        { from: 500, to: undefined, bytes: '' },
        { from: 4, to: 4, bytes: '' },
      ])('the range from $from to $to of ten bytes is "$bytes"', async ({ from, to, bytes }) => {
        const store = await create();
        await store.put('letters', Buffer.from('abcdefghij'));
        expect((await store.get('letters', { from, to }))?.toString()).toBe(bytes);
      });

      test('the last write to a key wins, whatever its length', async () => {
        const store = await create();
        for (const text of ['first', 'a longer second', '3']) {
          await store.put('k', Buffer.from(text));
          expect((await store.get('k'))?.toString()).toBe(text);
          expect(await store.head('k')).toMatchObject({ bytes: text.length });
        }
      });

      test('of many writes to a key at once, one is stored whole', async () => {
        const store = await create();
        const bodies = Array.from({ length: 8 }, (_, n) => Buffer.alloc(50_000 + n, n));
        await Promise.all(bodies.map((body) => store.put('contested', body)));
        expect(bodies).toContainEqual(await store.get('contested'));
      });

      test('a deleted object is gone, and deleting what is not there succeeds', async () => {
        const store = await create();
        await store.put('a/b', Buffer.from('x'));
        await store.put('a/c', Buffer.from('y'));
        await store.delete('a/b');
        await store.delete('a/b');
        await store.delete('never/there');
        expect(await store.get('a/b')).toBeUndefined();
        expect(await store.head('a/b')).toBeUndefined();
        expect(await keysOf(store, '')).toEqual(['a/c']);
      });

      test('a key can be used anew after a delete, also as a part of others', async () => {
        const store = await create();
        await store.put('a/b/c', Buffer.from('deep'));
        await store.delete('a/b/c');
        await store.put('a', Buffer.from('flat'));
        expect(await keysOf(store, '')).toEqual(['a']);
        await store.delete('a');
        await store.put('a/b', Buffer.from('deep again'));
        expect(await keysOf(store, '')).toEqual(['a/b']);
      });

      test('puts and deletes side by side in one folder do not hurt each other', async () => {
        const store = await create();
        const numbers = Array.from({ length: 40 }, (_, n) => n);
        await Promise.all(
          numbers.map(async (n) => {
            await store.put(`shared/deep/${n}`, Buffer.from(String(n)));
            if (n % 2 === 0) await store.delete(`shared/deep/${n}`);
          }),
        );
        const odd = numbers.filter((n) => n % 2 === 1).map((n) => `shared/deep/${n}`);
        expect(await keysOf(store, '')).toEqual(odd.sort());
      });
    });

    describe('headers', () => {
      const headers = {
        contentType: 'image/svg+xml; charset=utf-8',
        contentEncoding: 'gzip',
        metadata: { 'source-url': 'https://example.com/a%20b', 'source-etag': '"x-1"', index: '17' },
      };

      test('headers given with an object come back with it', async () => {
        const store = await create();
        await store.put('picture', Buffer.from('<svg/>'), headers);
        expect(await store.head('picture')).toEqual({ ...headers, bytes: 6, etag: expect.any(String) as string });
      });

      test('the headers of an object made of parts come back, too', async () => {
        const store = await create();
        const upload = await store.createUpload('picture', { partBytes: PART_BYTES, ...headers });
        const part = await store.putPart('picture', upload, 1, Buffer.from('<svg/>'));
        await store.completeUpload('picture', upload, [part]);
        expect(await store.head('picture')).toEqual({ ...headers, bytes: 6, etag: expect.any(String) as string });
      });

      test('a new object under a key has its own headers, none of the old one', async () => {
        const store = await create();
        await store.put('k', Buffer.from('old'), headers);
        await store.put('k', Buffer.from('new'), { contentType: 'text/plain', metadata: { index: '18' } });
        expect(await store.head('k')).toMatchObject({ contentType: 'text/plain', metadata: { index: '18' } });
        expect((await store.head('k'))?.contentEncoding).toBeUndefined();
        await store.put('k', Buffer.from('bare'));
        expect((await store.head('k'))?.metadata ?? {}).toEqual({});
        await store.delete('k');
        await store.put('k', Buffer.from('old'));
        expect((await store.head('k'))?.metadata ?? {}).toEqual({});
      });
    });

    describe('versions', () => {
      test('a read of one version gets it, or is told that the object is another by now', async () => {
        const store = await create();
        await store.put('k', Buffer.from('first'));
        const { etag } = (await store.head('k')) ?? {};
        expect(String(await store.get('k', { ifMatch: etag }))).toBe('first');
        expect(String(await store.get('k', { from: 1, to: 3, ifMatch: etag }))).toBe('ir');
        await store.put('k', Buffer.from('other'));
        await expect(store.get('k', { ifMatch: etag })).rejects.toMatchObject({ code: 'CHANGED' });
        await expect(store.get('k', { from: 1, to: 3, ifMatch: etag })).rejects.toMatchObject({ code: 'CHANGED' });
        await store.delete('k');
        expect(await store.get('k', { ifMatch: etag })).toBeUndefined();
      });

      test('a version is the same however often it is looked at', async () => {
        const store = await create();
        const upload = await store.createUpload('k', { partBytes: PART_BYTES });
        await store.completeUpload('k', upload, [await store.putPart('k', upload, 1, Buffer.from('x'))]);
        const seen = await store.head('k');
        expect(await store.head('k')).toEqual(seen);
        expect(seen?.etag).not.toBe('');
      });
    });

    describe('links for clients', () => {
      test('lead to an object of just that length, or are not given at all', async () => {
        const store = await create();
        const link = await store.uploadLink('lists/a', { bytes: 5, expiresInMs: 60_000 });
        expect(await store.head('lists/a')).toBeUndefined();
        if (!link) return;
        expect(link.method).toBe('PUT');
        expect(link.headers).toEqual({ 'content-length': '5' });
        const answer = await fetch(link.url, { method: link.method, headers: link.headers, body: 'hello' });
        expect(answer.status).toBe(200);
        expect(String(await store.get('lists/a'))).toBe('hello');
      });
    });

    describe('lists', () => {
      test('keys come in the order of their UTF-8 bytes, folders among files', async () => {
        const store = await create();
        const keys = [
          'a b/c',
          'a-b',
          'a.b',
          'a/b',
          'a/b-c/d',
          'a/b.c',
          'a0',
          'a~/x',
          'ab',
          'Z',
          'é',
          'あ/い',
          '\u{1f600}',
        ];
        // U+FB00 comes before U+1F600 in UTF-8 and after it in UTF-16.
        keys.push('\u{fb00}', '\u{fb00}-x', "quote'd", 'percent%2Fslash', 'a+b');
        for (const key of keys) await store.put(key, Buffer.from(key));
        const ordered = keys.toSorted((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)));
        expect(await keysOf(store, '')).toEqual(ordered);
        for (const key of keys) expect((await store.get(key))?.toString()).toBe(key);
      });

      test('a prefix is a beginning of the key, at a slash or anywhere', async () => {
        const store = await create();
        for (const key of ['logs/a1', 'logs/a2', 'logs/b/c', 'logs2/a', 'lo', 'x'])
          await store.put(key, Buffer.alloc(1));
        expect(await keysOf(store, 'logs/')).toEqual(['logs/a1', 'logs/a2', 'logs/b/c']);
        expect(await keysOf(store, 'logs/a')).toEqual(['logs/a1', 'logs/a2']);
        expect(await keysOf(store, 'logs')).toEqual(['logs/a1', 'logs/a2', 'logs/b/c', 'logs2/a']);
        expect(await keysOf(store, 'logs/b')).toEqual(['logs/b/c']);
        expect(await keysOf(store, 'logs/b/c')).toEqual(['logs/b/c']);
        expect(await keysOf(store, 'logs/b/c/')).toEqual([]);
        expect(await keysOf(store, 'nothing/')).toEqual([]);
      });

      test('more keys than one page of any store holds are all listed', async () => {
        const store = await create();
        const keys = Array.from({ length: 1100 }, (_, n) => `many/${String(n).padStart(5, '0')}`);
        await Promise.all(keys.map((key) => store.put(key, Buffer.alloc(0))));
        expect(await keysOf(store, 'many/')).toEqual(keys);
      });

      test('can begin behind a key, whether that is there or not', async () => {
        const store = await create();
        for (const key of ['l/a', 'l/b/1', 'l/b/2', 'l/c', 'm']) await store.put(key, Buffer.from('x'));
        const behind = (after: string) => Array.fromAsync(store.list('l/', { after }));
        expect(await behind('l/b/1')).toEqual(['l/b/2', 'l/c']);
        expect(await behind('l/b')).toEqual(['l/b/1', 'l/b/2', 'l/c']);
        expect(await behind('a')).toEqual(['l/a', 'l/b/1', 'l/b/2', 'l/c']);
        expect(await behind('l/c')).toEqual([]);
        expect(await behind('z')).toEqual([]);
      });
    });

    describe('uploads in parts', () => {
      test('parts that come in any order make the object in the order of their numbers', async () => {
        const store = await create();
        const body = randomBytes(2 * PART_BYTES + 1234);
        const slice = (n: number) => body.subarray((n - 1) * PART_BYTES, n * PART_BYTES);
        const upload = await store.createUpload('big', { partBytes: PART_BYTES });
        const third = await store.putPart('big', upload, 3, slice(3));
        const [second, first] = await Promise.all([
          store.putPart('big', upload, 2, slice(2)),
          store.putPart('big', upload, 1, slice(1)),
        ]);
        expect([first.bytes, second.bytes, third.bytes]).toEqual([PART_BYTES, PART_BYTES, 1234]);
        await store.completeUpload('big', upload, [first, second, third]);
        expect((await store.get('big'))?.equals(body)).toBe(true);
        expect(await store.head('big')).toMatchObject({ bytes: body.length });
      });

      test('20 MB arrive whole in parts of 8 MiB', async () => {
        const store = await create();
        const body = randomBytes(20_000_000);
        const upload = await store.createUpload('deep/down/large', { partBytes: 8 * MIB });
        const parts = await Promise.all(
          [1, 2, 3].map((n) =>
            store.putPart('deep/down/large', upload, n, body.subarray((n - 1) * 8 * MIB, n * 8 * MIB)),
          ),
        );
        await store.completeUpload('deep/down/large', upload, parts);
        expect((await store.get('deep/down/large'))?.equals(body)).toBe(true);
        const [from, to] = [8 * MIB - 10, 8 * MIB + 10];
        expect(await store.get('deep/down/large', { from, to })).toEqual(body.subarray(from, to));
      });

      test('a part sent again replaces the first one', async () => {
        const store = await create();
        const upload = await store.createUpload('k', { partBytes: PART_BYTES });
        const first = await store.putPart('k', upload, 1, Buffer.alloc(PART_BYTES, 'a'));
        await store.putPart('k', upload, 2, Buffer.from('wrong and too long'));
        const second = await store.putPart('k', upload, 2, Buffer.from('right'));
        await store.completeUpload('k', upload, [first, second]);
        expect((await store.get('k', { from: PART_BYTES - 1 }))?.toString()).toBe('aright');
      });

      test('an upload is not completed with a part that was replaced, or that never came', async () => {
        const store = await create();
        const lost = { name: 'ObjectStoreError', code: 'UPLOAD_LOST' };
        const upload = await store.createUpload('k', { partBytes: PART_BYTES });
        const first = await store.putPart('k', upload, 1, Buffer.alloc(PART_BYTES, 'a'));
        const replaced = await store.putPart('k', upload, 2, Buffer.from('wrong'));
        const second = await store.putPart('k', upload, 2, Buffer.from('right'));
        await expect(store.completeUpload('k', upload, [first, replaced])).rejects.toMatchObject(lost);
        const empty = await store.createUpload('k', { partBytes: PART_BYTES });
        await expect(store.completeUpload('k', empty, [first])).rejects.toMatchObject(lost);
        await store.abortUpload('k', empty);
        expect(await store.get('k')).toBeUndefined();
        await store.completeUpload('k', upload, [first, second]);
        expect((await store.get('k', { from: PART_BYTES }))?.toString()).toBe('right');
      });

      test('nothing is visible before the upload is completed; an older object stays as it was', async () => {
        const store = await create();
        await store.put('old', Buffer.from('old'));
        for (const key of ['new', 'old']) {
          const upload = await store.createUpload(key, { partBytes: PART_BYTES });
          const part = await store.putPart(key, upload, 1, Buffer.from('new'));
          expect((await store.get(key))?.toString()).toBe(key === 'old' ? 'old' : undefined);
          expect(await keysOf(store, key)).toEqual(key === 'old' ? ['old'] : []);
          await store.completeUpload(key, upload, [part]);
          expect((await store.get(key))?.toString()).toBe('new');
        }
      });

      test('an aborted upload leaves nothing and takes nothing more', async () => {
        const store = await create();
        const upload = await store.createUpload('k', { partBytes: PART_BYTES });
        const part = await store.putPart('k', upload, 1, Buffer.from('x'));
        await store.abortUpload('k', upload);
        await store.abortUpload('k', upload);
        const gone = { name: 'ObjectStoreError', code: 'UPLOAD_LOST' };
        await expect(store.putPart('k', upload, 2, Buffer.from('y'))).rejects.toMatchObject(gone);
        await expect(store.completeUpload('k', upload, [part])).rejects.toMatchObject(gone);
        expect(await keysOf(store, '')).toEqual([]);
      });

      test('aborting an upload that was completed leaves the object', async () => {
        const store = await create();
        const upload = await store.createUpload('k', { partBytes: PART_BYTES });
        await store.completeUpload('k', upload, [await store.putPart('k', upload, 1, Buffer.from('kept'))]);
        await store.abortUpload('k', upload);
        expect((await store.get('k'))?.toString()).toBe('kept');
      });

      test('two uploads of one key do not mix; the one completed last is what stays', async () => {
        const store = await create();
        const texts = ['one', 'another'];
        const uploads = await Promise.all(texts.map(() => store.createUpload('k', { partBytes: PART_BYTES })));
        for (const [at, upload] of uploads.entries()) {
          const part = await store.putPart('k', upload, 1, Buffer.from(texts[at] ?? ''));
          await store.completeUpload('k', upload, [part]);
          expect((await store.get('k'))?.toString()).toBe(texts[at]);
        }
      });
    });

    test('a call whose signal is aborted rejects with its reason and does nothing', async () => {
      const store = await create();
      await store.put('kept', Buffer.from('kept'));
      const upload = await store.createUpload('k', { partBytes: PART_BYTES });
      const part = await store.putPart('k', upload, 1, Buffer.from('x'));
      const reason = new Error('the lease is lost');
      const signal = AbortSignal.abort(reason);
      const calls = {
        put: () => store.put('new', Buffer.from('x'), { signal }),
        get: () => store.get('kept', { signal }),
        head: () => store.head('kept', { signal }),
        list: () => Array.fromAsync(store.list('', { signal })),
        delete: () => store.delete('kept', { signal }),
        createUpload: () => store.createUpload('k', { partBytes: PART_BYTES, signal }),
        putPart: () => store.putPart('k', upload, 2, Buffer.from('y'), { signal }),
        completeUpload: () => store.completeUpload('k', upload, [part], { signal }),
      };
      for (const [call, run] of Object.entries(calls)) await expect(run(), call).rejects.toBe(reason);
      expect(await keysOf(store, '')).toEqual(['kept']);
      await store.abortUpload('k', upload);
    });
  });
}
