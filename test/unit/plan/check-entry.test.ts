import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkEntry, type KeyRule } from '../../../core/plan/check-entry.ts';

const rule: KeyRule = { prefix: 'p/' };
const check = (value: unknown, more: Partial<KeyRule> = {}) => checkEntry({ line: 7, value }, { ...rule, ...more });
/** As it comes from a body: `__proto__` is a field like any other. */
const parsed = (json: string) => JSON.parse(json) as unknown;

describe('an entry', () => {
  test('can be a URL alone', () => {
    expect(check('https://h/a.jpg')).toEqual({ index: 7, url: 'https://h/a.jpg', key: 'h/a.jpg' });
  });

  test('can bring its key, headers, size and digests', () => {
    const entry = {
      url: 'https://h/a',
      key: 'k',
      headers: { Authorization: ' Bearer x ' },
      size: 0,
      md5: 'D'.repeat(32),
      sha256: 'e'.repeat(64),
    };
    expect(check(entry)).toEqual({
      ...entry,
      index: 7,
      headers: { authorization: 'Bearer x' },
      md5: 'd'.repeat(32),
    });
  });

  test('without headers has none', () => {
    expect(check({ url: 'https://h/a.jpg', headers: {} })).toEqual(check('https://h/a.jpg'));
  });

  test.each([
    ['HTTPS://User.Example:443/a/../b c', 'https://user.example/b%20c'],
    ['http://h:80/#part', 'http://h/'],
    ['https://h/a#', 'https://h/a'],
    ['https://h/a?b#c', 'https://h/a?b'],
    ['  https://h/a\n', 'https://h/a'],
    ['https:\\\\h\\a', 'https://h/a'],
    ['http://0x7f.1/a', 'http://127.0.0.1/a'],
    ['http://2130706433/a', 'http://127.0.0.1/a'],
    ['https://bücher.example/ü', 'https://xn--bcher-kva.example/%C3%BC'],
  ])('%j is taken as %s', (given, url) => {
    expect(check(given)).toMatchObject({ url });
  });

  test('gets its key by the template', () => {
    const keyTemplate = '{index}-{name}';
    expect(check('https://h/a.jpg?x', { keyTemplate })).toMatchObject({ key: '7-a.jpg' });
    expect(check({ url: 'https://h/a.jpg', key: 'mine' }, { keyTemplate })).toMatchObject({ key: 'mine' });
  });

  test('has its key in normal form C', () => {
    expect(check({ url: 'https://h/a', key: 'e\u0301' })).toMatchObject({ key: 'é' });
  });

  test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])('can have the key %s', (key) => {
    expect(check({ url: 'https://h/a', key })).toMatchObject({ key });
  });

  test('can have a header named like a property of every object', () => {
    const entry = check(parsed('{"url": "https://h/a.jpg", "headers": {"__proto__": "x", "constructor": "y"}}'));
    expect(JSON.stringify(entry)).toContain('"headers":{"__proto__":"x","constructor":"y"}');
  });
});

test('a line of a failed list is an entry', () => {
  const line = {
    url: 'https://h/a',
    key: 'k',
    index: 3,
    code: 'NOT_FOUND',
    message: 'm',
    httpStatus: 404,
    attempts: 1,
  };
  expect(check(line)).toEqual({ index: 7, url: 'https://h/a', key: 'k' });
});

describe('an entry is refused', () => {
  const missing = 'is missing or not a string';
  const relative = 'is not an absolute URL, like https://example.com/file';
  const unknown = 'is not known; an entry has url, key, headers, size, md5, sha256';
  const url = 'https://h/a';

  test.each<[string, unknown, [field: string, value: string, reason: string][]]>([
    ['that is null', null, [['', 'null', 'is neither a URL nor an object with one']]],
    ['that is a number', 5, [['', '5', 'is neither a URL nor an object with one']]],
    ['that is nothing', undefined, [['', '', 'is neither a URL nor an object with one']]],
    ['that is an array', [url], [['', 'an array', 'is neither a URL nor an object with one']]],
    ['that is empty', '', [['url', '', missing]]],
    ['without URL', {}, [['url', '', missing]]],
    ['with an array for URL', { url: [url] }, [['url', 'an array', missing]]],
    ['with an object for URL', { url: { url } }, [['url', 'an object', missing]]],
    ['with null for URL', { url: null }, [['url', 'null', missing]]],
    ['with a relative URL', '/a.jpg?secret', [['url', '/a.jpg…', relative]]],
    ['without scheme', 'example.com/a', [['url', 'example.com/a', relative]]],
    ['with what is no URL', 'hello world', [['url', 'hello world', relative]]],
    ['with an empty host', 'https://', [['url', 'https://', relative]]],
    ['with an impossible port', 'https://h:99999/a', [['url', 'https://h:99999/a', relative]]],
    ['with an impossible address', 'https://999.1.1.1/a', [['url', 'https://999.1.1.1/a', relative]]],
    ['with another scheme', 'ftp://h/a?b', [['url', 'ftp://h/a?…', 'is neither http nor https']]],
    ['with a file', 'file:///etc/passwd', [['url', 'file:///etc/passwd', 'is neither http nor https']]],
    ['with data', 'data:text/plain,hi', [['url', 'data:text/plain,hi', 'is neither http nor https']]],
    ['with a user', 'https://u@h/a', [['url', 'https://h/a', 'has credentials in it; send them as a header']]],
    ['with a password', 'https://:p@h/a?q', [['url', 'https://h/a?…', 'has credentials in it; send them as a header']]],
    ['with port 0', 'https://h:0/a', [['url', 'https://h:0/a', 'has port 0']]],
    ['with a size that is a text', { url, size: '5' }, [['size', '5', 'is not a number of bytes']]],
    ['with a negative size', { url, size: -1 }, [['size', '-1', 'is not a number of bytes']]],
    ['with half a byte', { url, size: 1.5 }, [['size', '1.5', 'is not a number of bytes']]],
    ['with an uncountable size', { url, size: 2 ** 53 }, [['size', '9007199254740992', 'is not a number of bytes']]],
    ['with a size of null', { url, size: null }, [['size', 'null', 'is not a number of bytes']]],
    ['with a short MD5', { url, md5: 'abc' }, [['md5', 'abc', 'is not 32 hex digits']]],
    ['with an MD5 that is not hex', { url, md5: 'g'.repeat(32) }, [['md5', 'g'.repeat(32), 'is not 32 hex digits']]],
    ['with a SHA-256 that is a number', { url, sha256: 1 }, [['sha256', '1', 'is not 64 hex digits']]],
    [
      'with a SHA-256 on two lines',
      { url, sha256: `${'a'.repeat(63)}\n` },
      [['sha256', `${'a'.repeat(63)}\n`, 'is not 64 hex digits']],
    ],
    ['with a key that is a number', { url, key: 5 }, [['key', '5', 'is not a string']]],
    ['with a key of null', { url, key: null }, [['key', 'null', 'is not a string']]],
    ['with an empty key', { url, key: '' }, [['key', '', 'is empty']]],
    ['with a key that leads out', { url, key: '../a' }, [['key', '../a', 'has the segment ..']]],
    ['with a field of another name', { url, name: 'x' }, [['name', '', unknown]]],
    ['with a URL for a field', { url, 'https://u:p@h/?s': 1 }, [['https://h/?…', '', unknown]]],
    ['with a field `constructor`', { url, constructor: 1 }, [['constructor', '', unknown]]],
    [
      'with a field `__proto__`',
      parsed('{"url": "https://h/a", "__proto__": {"key": "x"}}'),
      [['__proto__', '', unknown]],
    ],
    ['with headers that are a list', { url, headers: [] }, [['headers', '', 'is not an object of names and values']]],
    ['with headers of null', { url, headers: null }, [['headers', '', 'is not an object of names and values']]],
    ['with a bad header', { url, headers: { 'a b': 'x' } }, [['headers.a', '', 'is not a header name']]],
    [
      'with two faults',
      { size: -1, md5: '' },
      [
        ['url', '', missing],
        ['size', '-1', 'is not a number of bytes'],
        ['md5', '', 'is not 32 hex digits'],
      ],
    ],
  ])('%s', (_, value, problems) => {
    expect(check(value)).toEqual(problems.map(([field, value, reason]) => ({ line: 7, field, value, reason })));
  });

  test('with a URL that is too long, which is shown in part', () => {
    expect(check(`https://h/${'a'.repeat(9000)}`)).toEqual([
      { line: 7, field: 'url', value: `https://h/${'a'.repeat(190)}…`, reason: 'is longer than 8192 bytes' },
    ]);
  });

  test('with a key that does not fit behind the prefix', () => {
    const key = 'folder/'.repeat(140) + 'end';
    expect(check({ url, key }, { prefix: `${'p'.repeat(40)}/` })).toMatchObject({ key });
    expect(check({ url, key }, { prefix: `${'p'.repeat(41)}/` })).toMatchObject([
      { field: 'key', reason: 'has 983 bytes; at most 982 fit behind the prefix' },
    ]);
  });

  test('with a key that its template makes', () => {
    expect(check('https://h/a', { keyTemplate: 'x/{ext}' })).toMatchObject([{ field: 'key', value: 'x/' }]);
  });
});

test('no problem ever shows a credential or a query, wherever they were put', () => {
  const secret = 'SECRET';
  const around = fc.constantFrom('', 'x', ':', '/', '//', '\\', '@', ' ', '\t', '%', 'é', '.', '[', '#', '&', '=');
  const leaky = fc.oneof(
    fc
      .tuple(
        fc.constantFrom(
          'https://',
          'https:',
          'https:/',
          'https:\\\\',
          'ftp://',
          'foo:',
          '//',
          '',
          'ht tp://',
          'https:/\t/',
        ),
        fc.constantFrom(`u:${secret}`, secret, `:${secret}`, `${secret}:p`),
        around,
        fc.constantFrom('@h/a', '@h:0/a', '@', '@h:99999/', '@[/a'),
      )
      .map((parts) => parts.join('')),
    fc
      .tuple(
        fc.constantFrom('https://h:0/a', 'ftp://h/a', 'h/a', '/a', 'https://h:99999/a', 'mailto:x', 'https:// h/', ''),
        fc.constantFrom('?', '#', '?#', '#?', '??'),
        around,
        fc.constant(secret),
        around,
      )
      .map((parts) => parts.join('')),
  );
  const value = fc.oneof(leaky, fc.array(leaky, { maxLength: 2 }), fc.record({ url: leaky }));
  const name = fc.oneof(leaky, fc.constantFrom('name', 'headers'));
  const item = fc.oneof(
    leaky,
    fc.array(leaky),
    fc.record({ url: value, size: value, md5: value, sha256: value }, { requiredKeys: [] }),
    fc.record({ url: value, key: fc.oneof(leaky, fc.array(leaky)) }),
    fc.dictionary(name, value).map((more) => ({ url: 'nowhere', ...more })),
  );
  fc.assert(
    fc.property(item, (value) => {
      const result = check(value);
      if (Array.isArray(result)) expect(JSON.stringify(result)).not.toContain(secret);
    }),
    { numRuns: 5000 },
  );
});
