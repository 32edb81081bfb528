import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ListFormat } from '../../../core/model/list-format.ts';
import { read } from './read.ts';

interface Item {
  url: string;
  key?: string;
  size?: number;
  md5?: string;
  headers?: Record<string, string>;
}

const word = fc.string({ minLength: 1, maxLength: 12, unit: 'grapheme' });
/** Anything that a cell can hold once it is quoted. */
const cell = word.map((text) => text.replaceAll('\r', '')).filter((text) => text !== '');
const path = word.map((text) => encodeURIComponent(text));
const url = fc.tuple(fc.domain(), path).map(([host, path]) => `https://${host}/${path}`);
const md5 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('hex'));
const size = fc.nat();
const line = word.map((text) => text.replaceAll(/[\r\n=]/g, '').trim()).filter((text) => /^[^/.#]+$/.test(text));

const item: fc.Arbitrary<Item> = fc.record({ url, key: cell, size, md5 }, { requiredKeys: ['url'] });
const quoted = (value: string | number | undefined) =>
  value === undefined ? '' : `"${String(value).replaceAll('"', '""')}"`;
const table = (delimiter: string) => (items: Item[]) =>
  [['url', 'key', 'size', 'md5'], ...items.map(({ url, key, size, md5 }) => [url, key, size, md5])]
    .map((row, at) => row.map(at === 0 ? String : quoted).join(delimiter))
    .join('\r\n');

/** How a list is written in each format, and what of an item can be said there. */
const WRITERS: [ListFormat, fc.Arbitrary<Item>, (items: Item[]) => string][] = [
  ['json', item, (items) => JSON.stringify(items, undefined, 1)],
  ['json', item, (items) => JSON.stringify({ urls: items })],
  ['ndjson', item, (items) => items.map((item) => JSON.stringify(item)).join('\n')],
  ['csv', item, table(',')],
  ['tsv', item, table('\t')],
  ['text', fc.record({ url }), (items) => `# list\n${items.map(({ url }) => url).join('\n')}`],
  [
    'storage-transfer',
    fc.oneof(fc.record({ url }), fc.record({ url, size }), fc.record({ url, size, md5 })),
    (items) => {
      const base64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64');
      const rows = items.map(({ url, size, md5 }) => [url, size, md5 === undefined ? undefined : base64(md5)]);
      return ['TsvHttpData-1.0', ...rows.map((row) => row.join('\t'))].join('\n');
    },
  ],
  [
    'aria2',
    fc.record({ url, key: line, md5 }, { requiredKeys: ['url'] }),
    (items) =>
      items
        .map(({ url, key, md5 }) => {
          const options = [
            key === undefined ? [] : [`  out=${key}`],
            md5 === undefined ? [] : [`  checksum=md5=${md5}`],
          ];
          return [url, ...options.flat()].join('\n');
        })
        .join('\n'),
  ],
];

test.each(WRITERS)(
  'any list written as %s reads back, gzipped or not, however it comes',
  async (format, item, write) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(item),
        fc.boolean(),
        fc.integer({ min: 1, max: 50 }),
        async (items, packed, pieceBytes) => {
          const text = write(items);
          const found = await read(format, packed ? gzipSync(text) : text, { pieceBytes });
          expect(found.filter(({ problem }) => problem)).toEqual([]);
          const values = found.map(({ value }) => (typeof value === 'string' ? { url: value } : value));
          expect(values).toEqual(items);
        },
      ),
    );
  },
);

test('whatever comes is read or refused, in every format', async () => {
  const formats = [...new Set(WRITERS.map(([format]) => format))];
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.json(),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...formats),
      text,
      fc.integer({ min: 1, max: 9 }),
      async (format, list, pieceBytes) => {
        const ended = await read(format, list, { pieceBytes }).catch((error: unknown) => (error as Error).name);
        expect(Array.isArray(ended) || ended === 'InvalidListError').toBe(true);
      },
    ),
    { numRuns: 1000 },
  );
});
