import { describe, expect, test } from 'vitest';
import type { InvalidListError } from '../../../core/model/errors.ts';
import { collectEntries } from '../../../core/plan/collect.ts';
import { entryOf } from '../../../core/plan/manifest-line.ts';
import { itemsOf } from '../batch/service.ts';
import { linesOf } from './lines-of.ts';

const OPTIONS = { prefix: '', invalidEntries: 'reject' } as const;
const FAIL = { prefix: '', invalidEntries: 'fail' } as const;

async function failedEntries(values: readonly unknown[]) {
  const table = await collectEntries(itemsOf(values), FAIL);
  return linesOf(table, '').map(entryOf);
}

describe('entries that cannot be used, where they are to fail', () => {
  test('are entries without a key, with what is wrong and the URL as it was given', async () => {
    const values = [
      'nowhere',
      { url: 'https://a.example/1', size: -1, md5: 'x', sha256: 'y', colour: 'z' },
      { url: 'https://a.example/2', key: '../x' },
      5,
    ];
    expect(await failedEntries(values)).toEqual([
      {
        index: 1,
        url: 'nowhere',
        key: '',
        invalid: { code: 'INVALID_URL', message: 'url is not an absolute URL, like https://example.com/file' },
      },
      {
        index: 2,
        url: 'https://a.example/1',
        key: '',
        invalid: {
          code: 'INVALID_ENTRY',
          message: expect.stringMatching(
            /^colour is not known;.*; size is not a number of bytes; md5 is not 32 hex digits$/,
          ) as string,
        },
      },
      {
        index: 3,
        url: 'https://a.example/2',
        key: '',
        invalid: { code: 'INVALID_ENTRY', message: 'key has the segment ..' },
      },
      {
        index: 4,
        url: '',
        key: '',
        invalid: { code: 'INVALID_ENTRY', message: 'is neither a URL nor an object with one' },
      },
    ]);
  });

  test('do not show credentials, nor what is too long for a URL', async () => {
    const entries = await failedEntries(['https://user:s3cr3t@a.example/', `https://a.example/${'x'.repeat(9000)}`]);
    expect(entries.map(({ url }) => url)).toEqual(['', '']);
    expect(JSON.stringify(entries)).not.toContain('s3cr3t');
  });

  test('are never duplicates of each other, and take no key from others', async () => {
    const table = await collectEntries(itemsOf(['x', 'x', 'https://a.example/1.jpg', 'https://a.example/1.jpg']), FAIL);
    expect([table.total, table.duplicates, [...table.hosts]]).toEqual([
      3,
      1,
      [
        { host: '', entries: 2 },
        { host: 'https://a.example', entries: 1 },
      ],
    ]);
  });

  test('are those whose key is taken, too', async () => {
    const entries = await failedEntries([
      'https://a.example/1.jpg',
      { url: 'https://b.example/', key: 'a.example/1.jpg' },
    ]);
    expect(entries).toMatchObject([
      {
        index: 2,
        url: 'https://b.example/',
        invalid: { message: expect.stringMatching(/^key is also the key of line 1/) as string },
      },
    ]);
  });

  test('may be all there are, in any number', async () => {
    function* many() {
      for (let line = 1; line <= 100_000; line++) yield { line, value: 'nowhere' };
    }
    expect((await collectEntries(many(), FAIL)).total).toBe(100_000);
  });
});

test('an entry that could not be read is told of with its column', async () => {
  const problem = { column: 7, field: '', value: '', reason: 'is not JSON' };
  const items = [{ line: 3, value: undefined, problem }];
  const error = await collectEntries(items, OPTIONS).catch((error: unknown) => error as InvalidListError);
  expect(error).toMatchObject({ problems: [{ line: 3, ...problem }] });
});

test.each([
  ['entries', { entries: 2 }, 'The list has more than 2 entries; split it'],
  ['hosts', { hosts: 2 }, 'The list has more than 2 hosts; split it'],
  ['bytes', { bytes: 100 }, 'The list has entries of more than 100 bytes in all; split it'],
])('a list of more %s than a planner has room for is refused', async (_, less, message) => {
  const room = { entries: 3, hosts: 3, bytes: 1000 };
  const items = itemsOf(['https://a.example/1.jpg', 'https://b.example/1.jpg', 'https://c.example/1.jpg']);
  expect((await collectEntries(items, OPTIONS, undefined, room)).total).toBe(3);
  await expect(collectEntries(items, OPTIONS, undefined, { ...room, ...less })).rejects.toThrow(message);
});

test('the reader is asked now and then whether it should go on', async () => {
  const seen: number[] = [];
  const items = itemsOf(Array.from({ length: 2500 }, (_, i) => `https://a.example/${i}.jpg`));
  await collectEntries(items, OPTIONS, (line) => Promise.resolve(void seen.push(line)));
  expect(seen).toEqual([1000, 2000, 2500]);
  const stop = () => Promise.reject(new Error('enough'));
  await expect(collectEntries(items, OPTIONS, stop)).rejects.toThrow('enough');
});
