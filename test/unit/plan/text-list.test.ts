import { expect, test } from 'vitest';
import { readTextList } from '../../../core/plan/text-list.ts';

const read = (text: string) => [...readTextList(text)].map(({ line, value }) => [line, value]);

test.each([
  [
    'one URL a line',
    'https://h/a\nhttps://h/b\n',
    [
      [1, 'https://h/a'],
      [2, 'https://h/b'],
    ],
  ],
  ['no newline at the end', 'https://h/a', [[1, 'https://h/a']]],
  [
    'CRLF',
    'https://h/a\r\nhttps://h/b\r\n',
    [
      [1, 'https://h/a'],
      [2, 'https://h/b'],
    ],
  ],
  ['a byte order mark', '\uFEFFhttps://h/a\n', [[1, 'https://h/a']]],
  ['spaces and tabs around', '  https://h/a\t\n', [[1, 'https://h/a']]],
  ['blank lines, which are counted', '\n\n  \nhttps://h/a\n\n', [[4, 'https://h/a']]],
  ['comments, which are counted', '# list\n  # more\nhttps://h/a#b\n', [[3, 'https://h/a#b']]],
  ['nothing', '', []],
  ['only a byte order mark', '\uFEFF', []],
  ['only newlines', '\n\n\n', []],
  ['what is no URL', 'hello\n', [[1, 'hello']]],
])('reads a list with %s', (_, text, items) => {
  expect(read(text)).toEqual(items);
});

test('a long list is read item by item', () => {
  const items = readTextList('https://h/a\n'.repeat(100_000));
  expect(items.next().value).toEqual({ line: 1, value: 'https://h/a' });
  expect([...items].at(-1)).toEqual({ line: 100_000, value: 'https://h/a' });
});
