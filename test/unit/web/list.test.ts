import { expect, test } from 'vitest';
import { guessFormat, listOfFile, pastedList } from '../../../web/browser/list.ts';

test.each([
  ['text', 'https://example.com/a,b\nhttps://example.com/b'],
  ['text', '# photos\nhttps://example.com/a'],
  ['json', '["https://example.com/a"]'],
  ['json', '{"urls": ["https://example.com/a"]}'],
  ['json', '{\n  "urls": []\n}'],
  ['ndjson', '"https://example.com/a"\n"https://example.com/b"'],
  ['ndjson', '{"url": "https://example.com/a", "key": "a"}\n'],
  ['csv', 'key,URL\na,https://example.com/a'],
  ['csv', '"url","key"\nhttps://example.com/a,a'],
  ['tsv', 'url\tsize\nhttps://example.com/a\t5'],
  ['storage-transfer', 'TsvHttpData-1.0\nhttps://example.com/a\t5'],
  ['aria2', 'https://example.com/a\n  out=a.jpg'],
])('a list is taken for %s by how it begins: %j', (format, text) => expect(guessFormat(text)).toBe(format));

test('a file is what its name says, else what it begins with', async () => {
  const named = await listOfFile(new File(['https://example.com/a'], 'urls.csv.gz'), undefined);
  expect(named).toMatchObject({ fileName: 'urls.csv.gz', format: 'csv' });
  expect(await listOfFile(new File(['url,key\n'], 'urls'), undefined)).toMatchObject({ format: 'csv' });
  expect(await listOfFile(new File(['url,key\n'], 'urls'), 'text')).toMatchObject({ format: 'text' });
});

test('nothing but blanks is no list', () => {
  expect(pastedList(' \n', undefined)).toBeUndefined();
  expect(pastedList('https://example.com/a', 'aria2')?.format).toBe('aria2');
});
