import { describe, expect, test } from 'vitest';
import { readList } from '../../../core/lists/formats.ts';
import { formatOfName, formatOfType, type ListFormat } from '../../../core/model/list-format.ts';
import { failureOf, piecesOf, valuesOf } from './read.ts';

const A = 'https://h/a';
const B = 'https://h/b';
const MD5 = 'c0710d6b4f15dfa88f600b0e6b624077';

describe('a text list', () => {
  test.each<[string, string, [number, string][]]>([
    [
      'one URL a line',
      `${A}\n${B}\n`,
      [
        [1, A],
        [2, B],
      ],
    ],
    ['no newline at the end', A, [[1, A]]],
    [
      'CRLF',
      `${A}\r\n${B}\r\n`,
      [
        [1, A],
        [2, B],
      ],
    ],
    ['a byte order mark', `\uFEFF${A}\n`, [[1, A]]],
    ['spaces and tabs around', `  ${A}\t\n`, [[1, A]]],
    ['blank lines, which are counted', `\n\n  \n${A}\n\n`, [[4, A]]],
    ['comments, which are counted', `# list\n  # more\n${A}#b\n`, [[3, `${A}#b`]]],
    [
      'characters of several bytes',
      `https://h/é€😀\n${A}`,
      [
        [1, 'https://h/é€😀'],
        [2, A],
      ],
    ],
    ['nothing', '', []],
    ['only a byte order mark', '\uFEFF', []],
    ['only newlines', '\n\n\n', []],
    ['what is no URL', 'hello\n', [[1, 'hello']]],
  ])('may have %s', async (_, text, items) => {
    for (const pieceBytes of [1, 2, 7, 1000]) expect(await valuesOf('text', text, { pieceBytes })).toEqual(items);
  });

  test('is read while it comes', async () => {
    let given = 0;
    // eslint-disable-next-line @typescript-eslint/require-await -- lists come asynchronously
    async function* endless() {
      for (;;) {
        given += 1;
        yield Buffer.from(`${A}\n`.repeat(1000));
      }
    }
    let last = 0;
    for await (const block of readList(endless(), 'text', Infinity)) {
      for (const { line } of block) last = line;
      if (last === 5000) break;
    }
    expect(last).toBe(5000);
    expect(given).toBeLessThanOrEqual(6);
  });

  test('is refused at a line that never ends', async () => {
    const { problem } = await failureOf('text', `${A}\n${'x'.repeat(300_000)}`, { pieceBytes: 65_536 });
    expect(problem).toMatchObject({ line: 2, column: 1, reason: 'is a line of more than 262144 bytes' });
  });
});

describe('a table', () => {
  test.each<[string, ListFormat, string, [number, unknown][]]>([
    ['columns in any order and case', 'csv', `KEY,Url\nk,${A}\n`, [[2, { key: 'k', url: A }]]],
    [
      'every column',
      'csv',
      `url,key,size,md5,sha256,header:X-A\n${A},k,5,m,s,v\n`,
      [[2, { url: A, key: 'k', size: 5, md5: 'm', sha256: 's', headers: { 'X-A': 'v' } }]],
    ],
    [
      'quotes, with delimiters, quotes and newlines inside',
      'csv',
      `url,key\r\n${A},"a,""b""\r\nc"\r\n${B},d\r\n`,
      [
        [2, { url: A, key: 'a,"b"\r\nc' }],
        [4, { url: B, key: 'd' }],
      ],
    ],
    [
      'empty and missing cells, and blank lines',
      'csv',
      `url,key,size\n\n${A},,\n${B}\n`,
      [
        [3, { url: A }],
        [4, { url: B }],
      ],
    ],
    [
      'a size that is none, which the check of the entry tells',
      'csv',
      `url,size\n${A},5k\n`,
      [[2, { url: A, size: '5k' }]],
    ],
    ['tabs', 'tsv', `url\tkey\n${A}\t"a\tb,c"\n`, [[2, { url: A, key: 'a\tb,c' }]]],
    [
      'the columns of a failed list',
      'csv',
      `index,url,code,attempts\n7,${A},NOT_FOUND,1\n`,
      [[2, { index: '7', url: A, code: 'NOT_FOUND', attempts: '1' }]],
    ],
    ['a byte order mark', 'csv', `\uFEFFurl\n${A}\n`, [[2, { url: A }]]],
    ['no rows', 'csv', 'url\n', []],
    ['nothing at all', 'csv', '', []],
    [
      'more cells than columns, which is told of the row alone',
      'csv',
      `url,key\n${A},b,c\n${B},d\n`,
      [
        [2, { column: 3, field: '', value: '', reason: 'has 3 cells under 2 columns' }],
        [3, { url: B, key: 'd' }],
      ],
    ],
  ])('may have %s', async (_, format, text, items) => {
    for (const pieceBytes of [1, 7, 1000]) expect(await valuesOf(format, text, { pieceBytes })).toEqual(items);
  });

  test.each<[string, string, object]>([
    [
      'a column that is not known',
      `url,colour\n${A},red\n`,
      {
        line: 1,
        column: 2,
        reason: expect.stringMatching(/^is the column colour, which is not known; use url, key/) as string,
      },
    ],
    ['headers, which have a column each', `url,headers\n`, { line: 1, column: 2 }],
    ['a column twice', `url,key,URL\n`, { line: 1, column: 3, reason: 'is the column url for the second time' }],
    [
      'no column of URLs',
      `\nkey,size\nk,5\n`,
      { line: 2, column: 1, reason: 'is a first row that names no column url' },
    ],
    [
      'a quote that is never closed',
      `url,key\n${A},"b\n${B},c\n`,
      { reason: 'is the end of the text, but a quote is still open' },
    ],
    ['more behind a closing quote', `url,key\n${A},"b"c\n`, { line: 2, column: 2 }],
    [
      'a quote within a cell',
      `url,key\n${A},b\n${A}"x,b\n`,
      { line: 3, column: 1, reason: 'has a quote within a cell that does not begin with one' },
    ],
  ])('is refused for %s', async (_, text, problem) => {
    expect((await failureOf('csv', text)).problem).toMatchObject(problem);
  });

  test('is refused at a quote that would fill the memory', async () => {
    const { problem } = await failureOf('csv', `url\n"${'x'.repeat(600_000)}`, { pieceBytes: 65_536 });
    expect(problem).toMatchObject({ line: 2, reason: expect.stringContaining('more than 262144 bytes') as string });
  });
});

describe('a list of JSON lines', () => {
  test('has URLs and objects; a line that is no JSON is told of alone, with its column', async () => {
    expect(await valuesOf('ndjson', `"${A}"\r\n\n{"url":"${B}","size":5}\n{"url":\nnull\n"x" y`)).toEqual([
      [1, A],
      [3, { url: B, size: 5 }],
      [4, { column: 8, field: '', value: '', reason: 'is not JSON' }],
      [5, null],
      [6, { column: 5, field: '', value: '', reason: 'is not JSON' }],
    ]);
  });
});

describe('a JSON list', () => {
  test.each<[string, string, unknown[]]>([
    [
      'an array',
      `["${A}", {"url":"${B}","headers":{"a":"b"}}, 5, null, ["x"]]`,
      [A, { url: B, headers: { a: 'b' } }, 5, null, ['x']],
    ],
    ['an object with urls', `{"urls":\n["${A}",\n"${B}"]}\n`, [A, B]],
    ['an empty array', ' [] ', []],
    ['characters of several bytes, and escaped ones', '["é€😀\\u00e9\\n\\ud83d\\ude00"]', ['é€😀é\n😀']],
    [
      'names of prototypes, which are fields like others',
      '[{"__proto__": {"url": "x"}}]',
      [Object.fromEntries([['__proto__', { url: 'x' }]])],
    ],
  ])('is %s', async (_, text, values) => {
    const items = values.map((value, at) => [at + 1, value]);
    for (const pieceBytes of [1, 7, 1000]) expect(await valuesOf('json', text, { pieceBytes })).toEqual(items);
  });

  test.each<[string, string, object]>([
    [
      'another field',
      `{"urls": ["${A}"],\n "name": "x"}`,
      { line: 2, reason: expect.stringContaining('behind the field name') as string },
    ],
    ['urls that are no array', '{"urls": {"a": 1}}', { line: 1, column: 10, reason: 'is no array of URLs' }],
    ['a single URL', `"${A}"`, { line: 1, column: 1, reason: 'is neither an array nor an object with urls' }],
    ['a missing comma', `["${A}",\n "b" "c"]`, { line: 2, column: 6 }],
    ['a word that is none', `["${A}",\n "b", x]`, { line: 2, column: 5 }],
    [
      'an end that is missing',
      `["${A}",\n "b"`,
      { line: 2, column: 5, reason: 'is the end of the text, but not of its JSON' },
    ],
    ['nothing', '', { line: 1, column: 1 }],
    ['more behind its end', '[] []', { line: 1 }],
  ])('is refused for %s', async (_, text, problem) => {
    for (const pieceBytes of [1, 1000])
      expect((await failureOf('json', text, { pieceBytes })).problem).toMatchObject(problem);
  });

  test('is refused at an entry that would fill the memory', async () => {
    const { problem } = await failureOf('json', `["${'x'.repeat(600_000)}"]`, { pieceBytes: 65_536 });
    expect(problem?.reason).toBe('is within an entry of more than 262144 bytes');
  });
});

describe('a list of a storage transfer service', () => {
  const text = `TsvHttpData-1.0\n${A}\t5\twHENa08V36iPYAsOa2JAdw==\r\n${B}\n\n${A}\t\t\n${A}\t5\tMD5\n${A}\t5\t\tx\n`;
  const items = [
    [2, { url: A, size: 5, md5: MD5 }],
    [3, { url: B }],
    [5, { url: A }],
    [6, { field: 'md5', value: '', reason: 'is not an MD5 in base64' }],
    [7, { field: '', value: '', reason: 'has more than URL, size and MD5' }],
  ];

  test('has sizes and digests, which may be left out; as TSV it is known by its first line', async () => {
    for (const format of ['storage-transfer', 'tsv'] as const) expect(await valuesOf(format, text)).toEqual(items);
  });

  test('is refused without its first line', async () => {
    const { problem } = await failureOf('storage-transfer', `${A}\n`);
    expect(problem).toMatchObject({ line: 1, column: 1, reason: expect.stringContaining('TsvHttpData-1.0') as string });
  });
});

describe('an input file of aria2', () => {
  test('has keys, digests and headers behind its URLs', async () => {
    const text = [
      '# comment',
      A,
      '  out=x.jpg',
      '\tdir=/d/e/',
      ' checksum=sha-256=ABC',
      ' header=A: b:c',
      ' user-agent=me',
      ' split=5',
      '',
      B,
      ' dir=./q',
      ' checksum=md5=DEF',
      'https://h/c',
    ].join('\r\n');
    expect(await valuesOf('aria2', text)).toEqual([
      [2, { url: A, key: 'd/e/x.jpg', sha256: 'ABC', headers: { A: 'b:c', 'User-Agent': 'me' } }],
      [10, { url: B, key: 'q/h/b~41025f17e03264c8', md5: 'DEF' }],
      [13, { url: 'https://h/c' }],
    ]);
  });

  test.each([
    ['several mirrors', `${A}\t${B}\n`, 'url', 'is followed by 1 mirrors; keep one URL a line'],
    [
      'an option without counterpart, without its value',
      `${A}\n http-passwd=s3cr3t\n`,
      'http-passwd',
      'is an option of aria2 that has no counterpart here; take it out',
    ],
    [
      'a digest that is not checked',
      `${A}\n checksum=sha-1=abc\n`,
      'checksum',
      'is neither md5=… nor sha-256=…; others are not checked',
    ],
    ['a header that is none, without its value', `${A}\n header=s3cr3t\n`, 'header', 'is not of the form Name: value'],
    ['an option before any URL', ` out=x\n`, '', 'is an option with no URL before it'],
  ])('is told of for %s', async (_, text, field, reason) => {
    const items = await valuesOf('aria2', text);
    expect(items).toMatchObject([[1, { field, reason }]]);
    expect(JSON.stringify(items)).not.toContain('s3cr3t');
  });
});

test('media types and file names say formats', () => {
  const types = [
    'application/json',
    'Text/Plain',
    'text/csv',
    'text/tab-separated-values',
    'application/x-ndjson',
    'x/y',
    '',
  ];
  expect(types.map(formatOfType)).toEqual(['json', 'text', 'csv', 'tsv', 'ndjson', undefined, undefined]);
  const names = ['a.json', 'b.TXT.gz', 'c.csv', 'd.tsv.gz', 'e.jsonl', 'f.aria2', 'g.gz', 'csv', 'h.exe'];
  expect(names.map(formatOfName)).toEqual([
    'json',
    'text',
    'csv',
    'tsv',
    'ndjson',
    'aria2',
    undefined,
    undefined,
    undefined,
  ]);
});

test.each<[ListFormat, string]>([
  ['text', `${A}\n`],
  ['csv', `url\n${A}\n`],
  ['json', `["${A}",`],
])('a source that fails fails the reading as %s, and is let go of', async (format, text) => {
  let ended = false;
  async function* failing() {
    try {
      yield* piecesOf(text);
      throw new Error('The disk is gone.');
    } finally {
      ended = true;
    }
  }
  await expect(Array.fromAsync(readList(failing(), format, 1000))).rejects.toThrow('The disk is gone.');
  expect(ended).toBe(true);
});
