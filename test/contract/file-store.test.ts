import { randomFillSync } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createFileStore, removeStale } from '../../adapters/files/file-store.ts';
import { compareUtf8 } from '../../adapters/files/key-order.ts';
import type { ObjectStore } from '../../core/ports/object-store.ts';
import { tempFolder } from '../helpers/temp-folder.ts';
import { describeObjectStore } from './object-store-contract.ts';

async function freshStore() {
  const folder = await tempFolder();
  const folders = {
    root: join(folder, 'data', 'files'),
    tempRoot: join(folder, 'data', 'temp'),
    metadataRoot: join(folder, 'data', 'metadata'),
  };
  return { folder, ...folders, store: createFileStore(folders), another: () => createFileStore(folders) };
}

const keysOf = (store: ObjectStore, prefix = '') => Array.fromAsync(store.list(prefix));
const filesIn = async (folder: string) =>
  (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).length;

const CONFLICT = { name: 'ObjectStoreError', code: 'KEY_CONFLICT' };
const UNAVAILABLE = { name: 'ObjectStoreError', code: 'UNAVAILABLE' };
const LOST = { name: 'ObjectStoreError', code: 'UPLOAD_LOST' };
const SOME_HEADERS = { contentType: 'text/plain', metadata: { index: '1' } };

describeObjectStore('a folder', async () => (await freshStore()).store);

describe('files in the folder', () => {
  test('an object is a plain file at its key, and a plain file is an object', async () => {
    const { root, store } = await freshStore();
    await store.put('a/b/c.txt', Buffer.from('put'), SOME_HEADERS);
    expect(await readFile(join(root, 'a/b/c.txt'), 'utf8')).toBe('put');
    await writeFile(join(root, 'a/.hidden'), 'by hand');
    expect(await keysOf(store)).toEqual(['a/.hidden', 'a/b/c.txt']);
    expect((await store.get('a/.hidden'))?.toString()).toBe('by hand');
    expect(await store.head('a/.hidden')).toEqual({ bytes: 7, etag: expect.any(String) as string });
  });

  test('the last delete in a folder takes the empty folders with it, and only them', async () => {
    const { root, store } = await freshStore();
    await store.put('a/b/c/1', Buffer.from('x'));
    await store.put('a/2', Buffer.from('y'));
    await store.delete('a/b/c/1');
    expect(await readdir(join(root, 'a'))).toEqual(['2']);
    await store.delete('a/2');
    expect(await readdir(root)).toEqual([]);
  });

  test('stores that empty and refill one folder at the same time do not fail each other', async () => {
    const { root, store, another } = await freshStore();
    const lanes = [store, another(), another()].map(async (each, lane) => {
      for (let n = 0; n < 100; n++) {
        const key = `a/b/${lane}`;
        await each.put(key, Buffer.from(`${lane} ${n}`));
        expect((await each.get(key))?.toString()).toBe(`${lane} ${n}`);
        await each.delete(key);
      }
    });
    await Promise.all(lanes);
    expect(await readdir(root)).toEqual([]);
  });

  test('nothing is left aside, whether a call succeeds, conflicts or is aborted', async () => {
    const { root, tempRoot, metadataRoot, store } = await freshStore();
    await store.put('a', Buffer.from('x'));
    await expect(store.put('a/b', Buffer.from('x'), SOME_HEADERS)).rejects.toMatchObject(CONFLICT);
    await expect(store.put(`new/${'x'.repeat(300)}`, Buffer.from('x'), SOME_HEADERS)).rejects.toMatchObject(CONFLICT);
    const controller = new AbortController();
    const aborted = store.put('newer/b', Buffer.alloc(1000), { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    const upload = await store.createUpload('newest/c', { partBytes: 10, ...SOME_HEADERS });
    await store.putPart('newest/c', upload, 1, Buffer.from('x'));
    await store.abortUpload('newest/c', upload);
    const finished = await store.createUpload('d', { partBytes: 10 });
    await store.completeUpload('d', finished, [await store.putPart('d', finished, 1, Buffer.from('x'))]);
    expect(await readdir(tempRoot)).toEqual([]);
    expect(await filesIn(metadataRoot)).toBe(0);
    expect(await readdir(root)).toEqual(['a', 'd']);
  });

  test('what a killed process left aside is removed at the next start, objects are not', async () => {
    const { tempRoot, store, another } = await freshStore();
    await store.put('kept', Buffer.from('x'));
    const upload = await store.createUpload('k', { partBytes: 10 });
    await writeFile(join(tempRoot, 'put-half-written'), 'ha');
    await removeStale(tempRoot);
    const restarted = another();
    expect(await readdir(tempRoot)).toEqual([]);
    expect(await keysOf(restarted)).toEqual(['kept']);
    await expect(restarted.putPart('k', upload, 1, Buffer.from('x'))).rejects.toMatchObject(LOST);
  });

  test('an upload that somebody goes on with survives, and what a power cut has torn of one is not taken for whole', async () => {
    const { tempRoot, store, another } = await freshStore();
    const kept = await store.createUpload('k', { partBytes: 3 });
    const first = await store.putPart('k', kept, 1, Buffer.from('abc'));
    const torn = await store.createUpload('t', { partBytes: 3 });
    await store.createUpload('left', { partBytes: 3 });
    await removeStale(tempRoot, new Set([kept, torn]));
    expect((await readdir(tempRoot)).sort()).toEqual([kept, torn].sort());

    await writeFile(join(tempRoot, torn, 'request.json'), '{"key":"t","par');
    const restarted = another();
    await expect(restarted.putPart('t', torn, 1, Buffer.from('x'))).rejects.toMatchObject(LOST);
    await restarted.abortUpload('t', torn);
    await restarted.completeUpload('k', kept, [first, await restarted.putPart('k', kept, 2, Buffer.from('d'))]);
    expect((await restarted.get('k'))?.toString()).toBe('abcd');
    expect(await readdir(tempRoot)).toEqual([]);
  });

  test('a store may keep its own folders below the root: they are no objects and no key leads there', async () => {
    const root = await tempFolder();
    const own = { tempRoot: join(root, '.downburst/temp'), metadataRoot: join(root, '.downburst/metadata') };
    const store = createFileStore({ root, ...own });
    await store.put('a', Buffer.from('x'), SOME_HEADERS);
    await store.createUpload('b', { partBytes: 10 });
    expect(await keysOf(store)).toEqual(['a']);
    expect(await keysOf(store, '.downburst/temp/')).toEqual([]);
    for (const key of ['.downburst/temp', '.downburst/temp/x', '.downburst/metadata/x']) {
      await expect(store.put(key, Buffer.from('x'))).rejects.toMatchObject(CONFLICT);
    }
  });

  test('a disk that fails is unavailable, with the cause', async () => {
    const { tempRoot, store } = await freshStore();
    await rm(tempRoot, { recursive: true });
    await expect(store.put('a', Buffer.from('x'))).rejects.toMatchObject({ ...UNAVAILABLE, cause: { code: 'ENOENT' } });
  });
});

describe('keys that a folder cannot keep', () => {
  const escapes = [
    '',
    '/',
    '/etc/x',
    '..',
    '../x',
    'a/../../x',
    'a/..',
    '.',
    './a',
    'a/./b',
    'a//b',
    'a/',
    'a\0b',
    '\ud800',
  ];

  test.each(escapes.map((key) => [JSON.stringify(key), key]))('%s is refused by every call', async (_name, key) => {
    const { folder, store } = await freshStore();
    const before = await readdir(folder, { recursive: true });
    const calls = [
      store.put(key, Buffer.from('x')),
      store.get(key),
      store.head(key),
      store.delete(key),
      store.createUpload(key, { partBytes: 10 }),
    ];
    for (const call of await Promise.allSettled(calls)) expect(call).toMatchObject({ reason: CONFLICT });
    expect(await readdir(folder, { recursive: true })).toEqual(before);
  });

  test.each(['../', '/', '//', 'a/../', './', '../data/files/'])('a list of "%s" is empty', async (prefix) => {
    const { folder, store } = await freshStore();
    await store.put('a', Buffer.from('x'));
    await writeFile(join(folder, 'outside'), 'x');
    expect(await keysOf(store, prefix)).toEqual([]);
  });

  test('any string is kept exactly as a key or refused, and nothing appears outside', async () => {
    const { folder, root, store } = await freshStore();
    const outside = async () => (await readdir(folder)).concat(await readdir(dirname(root)));
    const before = await outside();
    const segment = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 6 }),
      fc.constantFrom('..', '.', '', '~', '%2e', 'a'),
    );
    const keys = fc.array(segment, { maxLength: 4 }).map((segments) => segments.join('/'));
    await fc.assert(
      fc.asyncProperty(keys, async (key) => {
        const body = Buffer.from(`body of ${key}`);
        try {
          await store.put(key, body);
        } catch (error) {
          expect(error).toMatchObject(CONFLICT);
          return;
        }
        expect(await store.get(key)).toEqual(body);
        expect(await keysOf(store, key)).toContain(key);
        await store.delete(key);
        expect(await store.get(key)).toBeUndefined();
      }),
      { numRuns: 200 },
    );
    expect(await readdir(root)).toEqual([]);
    expect(await outside()).toEqual(before);
  });

  test('a file where a folder is needed, and a folder where the file should go', async () => {
    const { store } = await freshStore();
    await store.put('file', Buffer.from('x'));
    await store.put('folder/file', Buffer.from('y'));
    for (const key of ['file/below', 'file/far/below', 'folder']) {
      await expect(store.put(key, Buffer.from('z')), key).rejects.toMatchObject(CONFLICT);
      await expect(store.createUpload(key, { partBytes: 10 }), key).rejects.toMatchObject(CONFLICT);
      await store.delete(key);
    }
    expect(await keysOf(store)).toEqual(['file', 'folder/file']);
  });

  test('names that are too long', async () => {
    const { store } = await freshStore();
    await store.put('x'.repeat(255), Buffer.from('x'));
    for (const key of ['x'.repeat(256), `a/${'x'.repeat(256)}/b`, 'long/'.repeat(2000) + 'x']) {
      await expect(store.put(key, Buffer.from('x'))).rejects.toMatchObject(CONFLICT);
      expect(await store.get(key)).toBeUndefined();
      expect(await store.head(key)).toBeUndefined();
      await store.delete(key);
    }
  });

  test('keys of as many folders as 1,024 bytes can name', async () => {
    const { root, store } = await freshStore();
    const key = 'a/'.repeat(511) + 'x';
    await store.put(key, Buffer.from('deep'));
    expect(await keysOf(store)).toEqual([key]);
    await store.delete(key);
    expect(await readdir(root)).toEqual([]);
  });

  test('two spellings of one name are two objects, or the second one is refused; never one in the place of the other', async () => {
    const { store } = await freshStore();
    const spellings = ['Kittens/Cat', 'kittens/cat', 'Kittens/cat', 'caf\u00e9', 'cafe\u0301'];
    const kept: string[] = [];
    for (const key of spellings) {
      const refusal = await store.put(key, Buffer.from(key)).catch((error: unknown) => error);
      if (refusal === undefined) kept.push(key);
      else expect(refusal).toMatchObject(CONFLICT);
    }
    expect(kept).toEqual(expect.arrayContaining(['Kittens/Cat', 'caf\u00e9']));
    expect(await keysOf(store)).toEqual(kept.toSorted(compareUtf8));
    for (const key of spellings) {
      expect((await store.get(key))?.toString()).toBe(kept.includes(key) ? key : undefined);
    }
  });
});

describe('symbolic links in the folder', () => {
  test('a link out of the folder is followed by no call, also not to make folders', async () => {
    const { folder, root, store } = await freshStore();
    const outside = join(folder, 'outside');
    await mkdir(join(outside, 'empty'), { recursive: true });
    await writeFile(join(outside, 'secret'), 'secret');
    await symlink(outside, join(root, 'link'));
    await symlink(join(folder, 'nowhere'), join(root, 'dangling'));
    await symlink(join(outside, 'secret'), join(root, 'file'));

    const keys = ['link/x', 'link/secret', 'link/a/b/c', 'link/empty/x', 'link', 'dangling', 'dangling/x', 'file'];
    for (const key of keys) {
      await expect(store.put(key, Buffer.from('x')), key).rejects.toMatchObject(CONFLICT);
      await expect(store.createUpload(key, { partBytes: 10 }), key).rejects.toMatchObject(CONFLICT);
      expect(await store.get(key), key).toBeUndefined();
      expect(await store.head(key), key).toBeUndefined();
      await store.delete(key);
      await store.abortUpload(key, 'upload-00000000-0000-0000-0000-000000000000');
    }
    expect(await keysOf(store)).toEqual([]);
    expect(await keysOf(store, 'link/')).toEqual([]);
    expect(await readdir(folder)).toEqual(['data', 'outside']);
    expect(await readdir(outside)).toEqual(['empty', 'secret']);
    expect(await readdir(root)).toEqual(['dangling', 'file', 'link']);
  });

  test('the folder itself may be reached through a link', async () => {
    const { folder, root, tempRoot, metadataRoot } = await freshStore();
    await symlink(root, join(folder, 'alias'));
    const store = createFileStore({ root: join(folder, 'alias'), tempRoot, metadataRoot });
    await store.put('a/b', Buffer.from('x'));
    expect(await keysOf(store)).toEqual(['a/b']);
    expect(await readFile(join(root, 'a/b'), 'utf8')).toBe('x');
  });
});

describe('headers beside the files', () => {
  test('only objects with headers have a file for them, and it goes with its object', async () => {
    const { metadataRoot, store } = await freshStore();
    await store.put('bare', Buffer.from('x'));
    expect(await filesIn(metadataRoot)).toBe(0);
    for (let n = 0; n < 3; n++) await store.put('k', Buffer.from('x'), SOME_HEADERS);
    expect(await filesIn(metadataRoot)).toBe(1);
    await store.put('k', Buffer.from('y'));
    expect(await filesIn(metadataRoot)).toBe(0);
    await store.put('k', Buffer.from('z'), SOME_HEADERS);
    await store.delete('k');
    expect(await filesIn(metadataRoot)).toBe(0);
  });

  test('a file that somebody changed, replaced or moved has lost its headers', async () => {
    const { root, store } = await freshStore();
    const path = join(root, 'k');
    const changes = {
      touched: () => utimes(path, 1, 1),
      changed: () => writeFile(path, 'changed'),
      replaced: async () => {
        await rm(path);
        await writeFile(path, 'replaced');
      },
    };
    for (const [change, make] of Object.entries(changes)) {
      await store.put('k', Buffer.from('stored'), SOME_HEADERS);
      expect(await store.head('k'), change).toEqual({ ...SOME_HEADERS, bytes: 6, etag: expect.any(String) as string });
      await make();
      expect(await store.head('k'), change).toEqual({
        bytes: (await stat(path)).size,
        etag: expect.any(String) as string,
      });
    }
    await store.put('k', Buffer.from('stored'), SOME_HEADERS);
    await rename(path, join(root, 'moved'));
    expect(await store.head('moved')).toEqual({ bytes: 6, etag: expect.any(String) as string });
  });

  test('bytes and headers belong together at every moment, while an object is replaced again and again', async () => {
    const { store, another } = await freshStore();
    const put = (by: ObjectStore, bytes: number) =>
      by.put('k', Buffer.alloc(bytes), bytes % 3 === 0 ? {} : { metadata: { bytes: String(bytes) } });
    await put(store, 1);
    const writers = [store, another()].map(async (writer, at) => {
      for (let n = 0; n < 60; n++) await put(writer, 2 * n + at);
    });
    const reader = (async () => {
      for (let n = 0; n < 200; n++) {
        const { bytes, metadata } = (await store.head('k')) ?? expect.fail('there is always an object');
        expect(metadata?.bytes).toBe(bytes % 3 === 0 ? undefined : String(bytes));
      }
    })();
    await Promise.all([...writers, reader]);
  });
});

describe('uploads in parts', () => {
  test('an upload goes on in another store that knows only its id', async () => {
    const { store, another } = await freshStore();
    const upload = await store.createUpload('k', { partBytes: 4, ...SOME_HEADERS });
    const second = await another().putPart('k', upload, 2, Buffer.from('5678'));
    const third = await store.putPart('k', upload, 3, Buffer.from('9'));
    const first = await another().putPart('k', upload, 1, Buffer.from('1234'));
    await another().completeUpload('k', upload, [third, first, second]);
    expect((await store.get('k'))?.toString()).toBe('123456789');
    expect(await store.head('k')).toEqual({ ...SOME_HEADERS, bytes: 9, etag: expect.any(String) as string });
  });

  test('parts arrive whole wherever they lie in memory and whatever their length', async () => {
    const { store } = await freshStore();
    const partBytes = 64 * 1024;
    // Only memory of whole pages can be written without the system's cache; and of a part without an even length not all.
    const pages = Buffer.from(new ArrayBuffer(3 * partBytes, { maxByteLength: 4 * partBytes }));
    randomFillSync(pages);
    const shifted = Buffer.concat([Buffer.alloc(1), pages]).subarray(1);
    for (const memory of [pages, shifted]) {
      const upload = await store.createUpload('k', { partBytes });
      const put = (number: number, from: number, to: number) =>
        store.putPart('k', upload, number, memory.subarray(from, to));
      const parts = await Promise.all([
        put(1, 0, partBytes),
        put(2, partBytes, 2 * partBytes),
        put(3, 2 * partBytes, 2 * partBytes + 5000),
      ]);
      await put(4, 0, partBytes); // which the object is not made of
      await store.completeUpload('k', upload, parts);
      expect((await store.get('k'))?.equals(pages.subarray(0, 2 * partBytes + 5000))).toBe(true);
    }
  });

  test('an object is never made of parts that are missing, replaced, too short or of another upload', async () => {
    const { store } = await freshStore();
    const upload = await store.createUpload('k', { partBytes: 4 });
    const other = await store.createUpload('k', { partBytes: 4 });
    const replaced = await store.putPart('k', upload, 1, Buffer.from('1234'));
    const first = await store.putPart('k', upload, 1, Buffer.from('abcd'));
    const short = await store.putPart('k', upload, 2, Buffer.from('ef'));
    const third = await store.putPart('k', upload, 3, Buffer.from('gh'));
    const foreign = await store.putPart('k', other, 1, Buffer.from('abcd'));
    const wrong = [[replaced], [foreign], [first, third], [short], [first, short, third], [first, first]];
    wrong.push([first, { number: 2, etag: 'made-up', bytes: 4 }]);
    for (const parts of wrong) {
      await expect(store.completeUpload('k', upload, parts)).rejects.toMatchObject(LOST);
    }
    await expect(store.completeUpload('other', upload, [first])).rejects.toMatchObject(LOST);
    expect(await keysOf(store)).toEqual([]);
    const second = await store.putPart('k', upload, 2, Buffer.from('efgh'));
    await store.completeUpload('k', upload, [first, second]);
    expect((await store.get('k'))?.toString()).toBe('abcdefgh');
  });

  test('an upload id that is a path leads nowhere', async () => {
    const { root, store } = await freshStore();
    await store.put('k', Buffer.from('x'));
    for (const id of ['..', '../files', '.', '', '/', 'upload-../../files']) {
      await store.abortUpload('k', id);
      await expect(store.putPart('k', id, 1, Buffer.from('y'))).rejects.toMatchObject(LOST);
    }
    expect((await stat(root)).isDirectory()).toBe(true);
    expect(await keysOf(store)).toEqual(['k']);
  });
});

test('keys are ordered as their UTF-8 bytes are', () => {
  const text = fc.string({ unit: 'binary' });
  fc.assert(
    fc.property(text, text, (a, b) => {
      expect(Math.sign(compareUtf8(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
  );
});
