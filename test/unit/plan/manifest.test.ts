import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createFileStore } from '../../../adapters/files/file-store.ts';
import { hostOf, type Entry } from '../../../core/model/entry.ts';
import { createEntryTable } from '../../../core/plan/entry-table.ts';
import { readManifest, writeManifest, type ManifestReader } from '../../../core/plan/manifest.ts';
import { plan } from '../../../core/plan/plan.ts';
import { tempFolder } from '../../helpers/temp-folder.ts';

const limits = {
  connectionsPerHost: 8,
  connectionsPerShard: 2,
  connectionsPerMixedShard: 8,
  maxShards: 6,
  minEntriesPerShard: 3,
};

function tableOf(entries: readonly Entry[]) {
  const table = createEntryTable();
  for (const entry of entries) table.add(entry);
  return table;
}

/** A manifest's bytes, and where its shards are. */
async function manifestOf(entries: readonly Entry[]) {
  const table = tableOf(entries);
  const shards = plan(table.hosts, limits);
  const chunks: Buffer[] = [];
  const ranges = await writeManifest(
    (lines) => {
      chunks.push(Buffer.from(lines));
      return Promise.resolve();
    },
    shards,
    table,
  );
  return { body: Buffer.concat(chunks), shards, ranges };
}

/** The part of a store that a reader uses, counting its bytes. */
function bytesStore(body: Buffer) {
  const store = {
    read: 0,
    get: (_key: string, { from = 0, to = body.length } = {}) => {
      const part = body.subarray(from, to);
      store.read += part.length;
      return Promise.resolve(part);
    },
  };
  return store;
}

async function readAll(reader: ManifestReader): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (let line = await reader.peek(); line; line = await reader.peek()) {
    expect(line.from).toBe(reader.offset);
    expect(await reader.peek()).toBe(line);
    entries.push(line.entry);
    reader.skip();
    expect(reader.offset).toBe(line.to);
  }
  return entries;
}

const anyEntries = fc
  .array(fc.record({ host: fc.integer({ min: 0, max: 5 }), name: fc.string({ unit: 'grapheme', maxLength: 30 }) }), {
    minLength: 1,
    maxLength: 80,
  })
  .map((items) =>
    items.map(({ host, name }, i): Entry => ({ index: i + 1, url: `https://h${host}/${i}`, key: `${i}/${name}` })),
  );

test('the shards of a manifest read back as the entries of the list, host by host and in order', async () => {
  await fc.assert(
    fc.asyncProperty(anyEntries, fc.integer({ min: 1, max: 500 }), async (entries, blockBytes) => {
      const { body, shards, ranges } = await manifestOf(entries);
      const store = bytesStore(body);
      const read: Entry[] = [];
      let offset = 0;
      for (const [i, range] of ranges.entries()) {
        expect(range.from).toBe(offset);
        offset = range.to;
        const part = await readAll(readManifest(store, 'manifest', range, blockBytes));
        expect(part).toHaveLength(shards[i]?.entries ?? -1);
        const runs = part.map(({ url }) => hostOf(url)).filter((host, at, hosts) => host !== hosts[at - 1]);
        expect(runs).toEqual(shards[i]?.segments.map(({ host }) => host));
        read.push(...part);
      }
      expect(offset).toBe(body.length);
      const byHost = (list: Entry[]) => Object.groupBy(list, ({ url }) => hostOf(url));
      expect(byHost(read)).toEqual(byHost(entries));
    }),
    { numRuns: 150 },
  );
});

test('a reader can begin at any line', async () => {
  const entries = Array.from({ length: 20 }, (_, i) => ({ index: i + 1, url: `https://h/${i}`, key: `k${i}` }));
  const { body } = await manifestOf(entries);
  const store = bytesStore(body);
  const all = readManifest(store, 'm', { from: 0, to: body.length }, 64);
  for (let line = await all.peek(), at = 0; line; line = await all.peek(), at++) {
    const rest = await readAll(readManifest(store, 'm', { from: line.from, to: body.length }, 64));
    expect(rest).toEqual(entries.slice(at));
    all.skip();
  }
});

test('a manifest is read block by block, hardly a byte twice', async () => {
  const entries = Array.from({ length: 5000 }, (_, i) => ({ index: i + 1, url: `https://h/${i}`, key: `k${i}` }));
  const { body } = await manifestOf(entries);
  const store = bytesStore(body);
  await readAll(readManifest(store, 'm', { from: 0, to: body.length }, 16 * 1024));
  expect(store.read).toBeLessThan(1.02 * body.length);
});

test('a line that is longer than many blocks is read', async () => {
  const long = { index: 1, url: 'https://h/1', key: 'x'.repeat(100_000) };
  const { body } = await manifestOf([long, { index: 2, url: 'https://h/2', key: 'y' }]);
  const entries = await readAll(readManifest(bytesStore(body), 'm', { from: 0, to: body.length }, 1));
  expect(entries.map(({ key }) => key.length)).toEqual([100_000, 1]);
});

test('an empty range has no lines', async () => {
  const reader = readManifest(bytesStore(Buffer.alloc(0)), 'm', { from: 5, to: 5 }, 10);
  expect(await reader.peek()).toBeUndefined();
  expect(reader.offset).toBe(5);
  expect(() => reader.skip()).toThrow('no line');
});

test('a manifest that ends too early is an error, not the end', async () => {
  const { body } = await manifestOf([
    { index: 1, url: 'https://h/1', key: 'a' },
    { index: 2, url: 'https://h/2', key: 'b' },
  ]);
  for (let bytes = 0; bytes < body.length; bytes++) {
    const reader = readManifest(bytesStore(body.subarray(0, bytes)), 'm', { from: 0, to: body.length }, 16);
    await expect(readAll(reader)).rejects.toThrow(/ends at byte \d+/);
  }
  const missing = { get: () => Promise.resolve(undefined) };
  await expect(readManifest(missing, 'm', { from: 0, to: 9 }, 16).peek()).rejects.toThrow('m ends at byte 0');
});

test('a plan with more entries than the list is refused', async () => {
  const table = tableOf([{ index: 1, url: 'https://h/1', key: 'a' }]);
  const shard = { segments: [{ host: 'https://h', entries: 2 }], entries: 2, connections: 1, connectionsPerHost: 1 };
  await expect(writeManifest(() => Promise.resolve(), [shard], table)).rejects.toThrow(RangeError);
});

test('a manifest that lies in a folder reads back', async () => {
  const folder = await tempFolder();
  const [root, tempRoot, metadataRoot] = ['objects', 'temp', 'headers'].map((name) => `${folder}/${name}`);
  const store = createFileStore({ root: root ?? '', tempRoot: tempRoot ?? '', metadataRoot: metadataRoot ?? '' });
  const entries = Array.from({ length: 300 }, (_, i) => ({ index: i + 1, url: `https://h/${i}`, key: `ключ/${i}` }));
  const { body, ranges } = await manifestOf(entries);
  await store.put('batches/b/manifest.jsonl', body);
  const read: Entry[] = [];
  for (const range of ranges)
    read.push(...(await readAll(readManifest(store, 'batches/b/manifest.jsonl', range, 100))));
  expect(read).toEqual(entries);
});
