import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Entry } from '../../../core/model/entry.ts';
import { createEntryTable, type EntryTable } from '../../../core/plan/entry-table.ts';
import { linesOf } from './lines-of.ts';

const entry = (index: number, url: string, key: string, more: Partial<Entry> = {}): Entry => ({
  index,
  url,
  key,
  ...more,
});

function entriesOf(table: EntryTable, host: string): Entry[] {
  return linesOf(table, host).map((line) => {
    expect(line.at(-1)).toBe('\n');
    return JSON.parse(line) as Entry;
  });
}

test('keeps every field of an entry', () => {
  const table = createEntryTable();
  const whole = entry(7, 'https://h/a', 'k', {
    headers: { ['__proto__']: 'x', cookie: 'a="b\\n"', 'x-latin': '\xff' },
    size: 2 ** 53 - 1,
    md5: 'd'.repeat(32),
    sha256: 'e'.repeat(64),
  });
  table.add(whole);
  expect(entriesOf(table, 'https://h')).toEqual([whole]);
});

test('counts hosts in the order in which they came, each with scheme, host and port', () => {
  const table = createEntryTable();
  const urls = ['https://b/1', 'http://b/1', 'https://b/2', 'https://b:8443/1', 'https://a/1?x=/', 'https://b/3'];
  urls.forEach((url, i) => table.add(entry(i + 1, url, `k${i}`)));
  expect([...table.hosts]).toEqual([
    { host: 'https://b', entries: 3 },
    { host: 'http://b', entries: 1 },
    { host: 'https://b:8443', entries: 1 },
    { host: 'https://a', entries: 1 },
  ]);
  expect(entriesOf(table, 'https://b').map(({ index }) => index)).toEqual([1, 3, 6]);
  expect(entriesOf(table, 'https://nowhere')).toEqual([]);
});

test('what was added after a look is there at the next', () => {
  const table = createEntryTable();
  table.add(entry(1, 'https://a/1', 'k1'));
  expect([...table.entriesOf('https://a')]).toEqual([0]);
  table.add(entry(2, 'https://b/2', 'k2'));
  table.add(entry(3, 'https://a/3', 'k3'));
  expect([...table.entriesOf('https://a')]).toEqual([0, 2]);
});

describe('plain URLs', () => {
  const [plain, end] = ['https://h.example/a.jpg', 'https://h.example'.length];
  const range = { bytes: Buffer.from(plain), from: 0, to: plain.length };

  test('are entries like others, and duplicates of them', () => {
    const table = createEntryTable();
    expect(table.addPlain(1, range, end)).toBeUndefined();
    expect(table.add(entry(2, plain, plain.slice(8)))).toBeUndefined();
    expect(table.addPlain(3, range, end)).toBeUndefined();
    expect(table.add(entry(4, 'https://h.example/b', 'k'))).toBeUndefined();
    expect(table).toMatchObject({ total: 2, duplicates: 2, hostCount: 1 });
    expect(linesOf(table, 'https://h.example')[0]).toBe(`{"index":1,"url":"${plain}"}\n`);
  });

  test('are refused where their key is that of another URL', () => {
    const table = createEntryTable();
    table.add(entry(5, 'https://other.example/', plain.slice(8)));
    expect(table.addPlain(6, range, end)).toEqual({ takenBy: 5 });
    expect(table.total).toBe(1);
  });
});

describe('entries with the same key', () => {
  test('a second line with URL and key of the first is a duplicate', () => {
    const table = createEntryTable();
    expect(table.add(entry(1, 'https://h/a', 'k'))).toBeUndefined();
    expect(table.add(entry(2, 'https://h/a', 'k', { size: 5 }))).toBeUndefined();
    expect(table).toMatchObject({ total: 1, duplicates: 1 });
    expect(entriesOf(table, 'https://h')).toEqual([entry(1, 'https://h/a', 'k')]);
  });

  test('the same URL under two keys is two entries', () => {
    const table = createEntryTable();
    table.add(entry(1, 'https://h/a', 'k'));
    table.add(entry(2, 'https://h/a', 'l'));
    expect(table).toMatchObject({ total: 2, duplicates: 0 });
  });

  test('a key of another URL is refused with the line that has it', () => {
    const table = createEntryTable();
    table.add(entry(3, 'https://h/a', 'k'));
    expect(table.add(entry(4, 'https://h/b', 'k'))).toEqual({ takenBy: 3 });
    expect(table).toMatchObject({ total: 1, duplicates: 0 });
    expect(entriesOf(table, 'https://h')).toHaveLength(1);
  });

  test('keys are told apart even where their hashes are equal', () => {
    // 32-bit FNV-1a gives each of these pairs one hash.
    const pairs = [
      ['costarring', 'liquid'],
      ['declinate', 'macallums'],
      ['altarage', 'zinke'],
    ];
    const table = createEntryTable();
    pairs.flat().forEach((key, i) => expect(table.add(entry(i + 1, `https://h/${key}`, key))).toBeUndefined());
    expect(table).toMatchObject({ total: 6, duplicates: 0 });
    pairs.flat().forEach((key) => table.add(entry(9, `https://h/${key}`, key)));
    expect(table).toMatchObject({ total: 6, duplicates: 6 });
    expect(table.add(entry(10, 'https://h/x', 'liquid'))).toEqual({ takenBy: 2 });
  });
});

test('keeps tens of thousands of entries in order, and knows them again', () => {
  const table = createEntryTable();
  const count = 50_000;
  const make = (i: number) => entry(i + 1, `https://h${i % 7}/${i}`, `folder/${i}.jpg`);
  for (let i = 0; i < count; i++) expect(table.add(make(i))).toBeUndefined();
  for (let i = 0; i < count; i++) table.add(make(i));
  expect(table).toMatchObject({ total: count, duplicates: count });
  for (let host = 0; host < 7; host++) {
    const wanted = Array.from({ length: count }, (_, i) => i).filter((i) => i % 7 === host);
    expect(entriesOf(table, `https://h${host}`)).toEqual(wanted.map(make));
  }
});

test('keeps lines that are larger than the blocks they are kept in', () => {
  const table = createEntryTable();
  const wide = 'é😀'.repeat(500_000);
  const entries = [
    entry(1, 'https://h/1', 'a'),
    entry(2, 'https://h/2', 'b', { headers: { wide } }),
    entry(3, 'https://h/3', 'c'),
    entry(4, 'https://h/4', 'd', { headers: { wide } }),
  ];
  for (const item of entries) table.add(item);
  expect(entriesOf(table, 'https://h')).toEqual(entries);
});

test('keeps whatever text a key or header has', () => {
  const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 20 }), fc.constantFrom('\u2028', '\u2029', '\r'));
  const anyEntries = fc.uniqueArray(fc.record({ key: text, value: text }), { selector: ({ key }) => key });
  fc.assert(
    fc.property(anyEntries, (items) => {
      const table = createEntryTable();
      const entries = items.map(({ key, value }, i) => entry(i + 1, `https://h/${i}`, key, { headers: { x: value } }));
      for (const item of entries) expect(table.add(item)).toBeUndefined();
      expect(entriesOf(table, 'https://h')).toEqual(entries);
    }),
    { numRuns: 200 },
  );
});
