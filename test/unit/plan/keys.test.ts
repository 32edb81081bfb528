import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_DEFAULT_KEY_BYTES } from '../../../core/model/limits.ts';
import { defaultKey, keyProblem, templateKey, templateProblem } from '../../../core/plan/keys.ts';

const keyOf = (url: string) => defaultKey(new URL(url).href);
const hashOf = (url: string) => createHash('sha256').update(new URL(url).href).digest('hex').slice(0, 16);

describe('the default key of a URL', () => {
  test.each([
    ['https://example.com/a/b/photo.jpg', 'example.com/a/b/photo.jpg'],
    ['https://example.com/a%20b/%C3%A9t%C3%A9.jpg', 'example.com/a b/été.jpg'],
    ['https://example.com/v1.2/data.tar.gz', 'example.com/v1.2/data.tar.gz'],
    ['https://EXAMPLE.com/Photo.JPG', 'example.com/Photo.JPG'],
    ['https://example.com:443/a.jpg', 'example.com/a.jpg'],
    ['http://example.com/a.jpg', 'example.com_80/a.jpg'],
    ['http://127.0.0.1:8080/a.jpg', '127.0.0.1_8080/a.jpg'],
    ['https://bücher.example/a.jpg', 'xn--bcher-kva.example/a.jpg'],
    ['https://example.com/%F0%9F%98%80.png', 'example.com/😀.png'],
    ['https://example.com/x/../a.jpg', 'example.com/a.jpg'],
  ])('%s is its host and path: %s', (url, key) => {
    expect(keyOf(url)).toBe(key);
  });

  test.each([
    ['a query', 'https://example.com/a.jpg?w=1', 'example.com/a~#.jpg'],
    ['an empty query', 'https://example.com/a.jpg?', 'example.com/a~#.jpg'],
    ['no extension', 'https://example.com/data', 'example.com/data~#'],
    ['a folder of that name beside', 'https://example.com/data/1', 'example.com/data/1~#'],
    ['a name that is all extension', 'https://example.com/.jpg', 'example.com/.jpg~#'],
    ['no path', 'https://example.com', 'example.com/index~#'],
    ['a slash at the end', 'https://example.com/a.jpg/', 'example.com/a.jpg/index~#'],
    ['empty segments', 'https://example.com/a//b.jpg', 'example.com/a/b~#.jpg'],
    ['an encoded slash', 'https://example.com/a%2Fb.jpg', 'example.com/a_b~#.jpg'],
    ['an encoded backslash', 'https://example.com/a%5Cb.jpg', 'example.com/a_b~#.jpg'],
    ['a backslash in the folder', 'https://example.com/a%5C/b.jpg', 'example.com/a_/b~#.jpg'],
    ['a NUL', 'https://example.com/a%00b.jpg', 'example.com/a_b~#.jpg'],
    [
      'dots behind an encoded slash',
      'https://example.com/..%2F..%2Fetc/passwd.txt',
      'example.com/.._.._etc/passwd~#.txt',
    ],
    ['a segment of dots', 'https://example.com/.../a.jpg', 'example.com/___/a~#.jpg'],
    ['bytes that are not UTF-8', 'https://example.com/%FF?', 'example.com/%FF~#'],
    ['a needless escape', 'https://example.com/%61.jpg', 'example.com/a~#.jpg'],
    ['an escape in lower case', 'https://example.com/%c3%a9.jpg', 'example.com/é~#.jpg'],
    ['an escaped percent sign', 'https://example.com/100%25.jpg', 'example.com/100%~#.jpg'],
    ['a letter in two code points', 'https://example.com/e%CC%81.jpg', 'example.com/é~#.jpg'],
    ['a character that some disks refuse', 'https://example.com/a:b.jpg', 'example.com/a_b~#.jpg'],
    ['https on another port', 'https://example.com:8080/a.jpg', 'example.com_8080/a~#.jpg'],
    ['an underscore in the host', 'https://a_80/a.jpg', 'a_80/a~#.jpg'],
    ['a host that no folder can be named after', 'https://a*b/a.jpg', 'a_b/a~#.jpg'],
    ['an IPv6 address', 'http://[::1]:8080/a.jpg', '[__1]_8080/a~#.jpg'],
  ])('holds its hash where there is %s', (_, url, key) => {
    expect(keyOf(url)).toBe(key.replace('#', hashOf(url)));
  });

  test('cuts a long name, and keeps its extension', () => {
    const url = `https://example.com/${'é'.repeat(1000)}.jpg`;
    const name = keyOf(url).split('/')[1] ?? '';
    expect(Buffer.byteLength(name)).toBeGreaterThan(250);
    expect(name).toMatch(new RegExp(`^é+~${hashOf(url)}\\.jpg$`));
  });

  test('leaves the folders of a long path out', () => {
    const url = `https://example.com/${'folder/'.repeat(100)}a.jpg`;
    expect(keyOf(url)).toBe(`example.com/a~${hashOf(url)}.jpg`);
  });

  test('cuts a long host', () => {
    const url = `https://${'a'.repeat(60)}.${'b.'.repeat(300)}example/x.jpg`;
    expect(keyProblem(keyOf(url))).toBeUndefined();
    expect(keyOf(url)).toContain(`x~${hashOf(url)}.jpg`);
  });
});

const piece = fc.oneof(
  fc.constantFrom('', 'a', 'A', 'a.jpg', 'data', '1', 'index', '_', '__', '~', '.', '..', '...', ' ', '%20', '%2e'),
  fc.constantFrom('%2E%2e', '%2F', '%5C', '\\', '%00', '%0A', '%7E', '%41', 'é', '%C3%A9', '%c3%a9', 'e%CC%81'),
  fc.constantFrom('%ff', '%25ff', '%', '%zz', '%25zz', '%25', ':', '%3A', '*', '%2A', '|', '"', '<', '%3C', '😀', '+'),
  fc.constantFrom(
    '%EF%BB%BF',
    '\u202e',
    '\u2028',
    '%ED%A0%80',
    '=%CC%B8',
    '%E2%89%A0',
    'x'.repeat(300),
    '%E9%BE%8D'.repeat(90),
  ),
  fc.string({ unit: 'binary', maxLength: 4 }),
);
const segment = fc.array(piece, { maxLength: 3 }).map((pieces) => pieces.join(''));
const host = fc.constantFrom(
  'a.com',
  'a.com.',
  'A.com',
  'a.com_80',
  'a_com',
  'a*com',
  'a"com',
  'a',
  '[::1]',
  '[::2]',
  '127.1',
);
const hostile = fc
  .record({
    scheme: fc.constantFrom('http://', 'https://'),
    host,
    port: fc.constantFrom('', ':80', ':443', ':8080'),
    path: fc.array(segment, { maxLength: 4 }).map((segments) => segments.map((text) => `/${text}`).join('')),
    query: fc.constantFrom('', '', '?', '?a', '?A', '?/a.jpg'),
  })
  .map(({ scheme, host, port, path, query }) => URL.parse(scheme + host + port + path.replaceAll(/[?#]/g, '') + query))
  .filter((url) => url !== null);
const anyUrl = fc.oneof(
  hostile,
  fc.webUrl({ withQueryParameters: true, size: 'medium' }).map((url) => new URL(url)),
);

describe('whatever the URL, its default key', () => {
  test('is a sound key that stays below its prefix, and fits behind the longest one', () => {
    fc.assert(
      fc.property(anyUrl, (url) => {
        const key = defaultKey(url.href);
        expect(keyProblem(key)).toBeUndefined();
        expect(key).toBe(key.normalize('NFC'));
        expect(key).not.toMatch(/[\p{Cc}\p{Cs}\\:*?"<>|]/u);
        expect(posix.join('/files/prefix', key)).toBe(`/files/prefix/${key}`);
        expect(Buffer.byteLength(key)).toBeLessThanOrEqual(MAX_DEFAULT_KEY_BYTES);
      }),
      { numRuns: 3000 },
    );
  });

  test('is host and path where these are plain', () => {
    const label = fc.stringMatching(/^[\w~-][\w.~-]{0,8}$/);
    const plainUrl = fc
      .tuple(
        fc.domain(),
        fc.array(label, { maxLength: 3 }),
        label,
        fc.constantFrom('', '.jpg', '.x', '.tar.gz', '.', '.é'),
      )
      .map(([domain, folders, name, ext]) => new URL(`https://${domain}/${[...folders, name + ext].join('/')}`));
    fc.assert(
      fc.property(plainUrl, (url) => {
        const key = defaultKey(url.href);
        if (!key.includes('~')) expect(key).toBe(templateKey('{host}/{path}', url, 1));
      }),
      { numRuns: 1000 },
    );
  });

  test('is another one for another URL, and the same for the same', () => {
    fc.assert(
      fc.property(fc.array(anyUrl, { minLength: 2, maxLength: 60, size: 'max' }), (urls) => {
        const taken = new Map<string, string>();
        for (const { href } of urls) {
          const key = keyOf(href);
          expect(taken.get(key) ?? href).toBe(href);
          taken.set(key, href);
        }
      }),
      { numRuns: 500 },
    );
  });
});

test('all that two similar URLs differ in tells their keys apart', () => {
  const urls = [
    'https://a.com/data',
    'https://a.com/data/',
    'https://a.com/data/1',
    'https://a.com/data//1',
    'https://a.com/Data',
    'https://a.com/data.jpg',
    'https://a.com/data.JPG',
    'https://a.com/data.jpg?',
    'https://a.com/data.jpg?1',
    'https://a.com/data.jpg?2',
    'https://a.com/data.jpg/',
    'https://a.com/data.jpg/index',
    'https://a.com/data_.jpg',
    'https://a.com/data%3A.jpg',
    'https://a.com/data%5C.jpg',
    'https://a.com/data%2F.jpg',
    'https://a.com/data%2f.jpg',
    'https://a.com/index',
    'https://a.com/',
    'http://a.com/data.jpg',
    'http://a.com:443/data.jpg',
    'https://a.com:80/data.jpg',
    'http://a.com:8080/data.jpg',
    'https://a.com:8080/data.jpg',
    'https://a.com_80/data.jpg',
    'https://a.com./data.jpg',
    'https://a"com/data.jpg',
    'https://a*com/data.jpg',
    'https://a_com/data.jpg',
  ];
  expect(new Set(urls.map(keyOf)).size).toBe(urls.length);
});

describe('a key template', () => {
  const url = new URL('https://example.com/a%20b/c/photo.tar.gz?x=1');

  test.each([
    ['{host}/{path}', 'example.com/a b/c/photo.tar.gz'],
    ['{name}', 'photo.tar.gz'],
    ['{stem}-{index}{ext}', 'photo.tar-17.gz'],
    ['{hash}{ext}', `${hashOf(url.href)}.gz`],
    ['all/{index}/{index}', 'all/17/17'],
  ])('%s makes %s', (template, key) => {
    expect(templateProblem(template)).toBeUndefined();
    expect(templateKey(template, url, 17)).toBe(key);
  });

  test('names a file "index" where the URL has no name', () => {
    expect(templateKey('{name}|{stem}|{ext}|{path}', new URL('https://h/'), 1)).toBe('index|index||index');
  });

  test.each([
    ['{constructor}/{index}', '{constructor} is not known'],
    ['{__proto__}', '{__proto__} is not known'],
    ['{}', '{} is not known'],
    ['{Host}', '{Host} is not known'],
    ['{{index}}', 'has a brace without its partner'],
    ['{index', 'has a brace without its partner'],
    ['index}', 'has a brace without its partner'],
    ['same.jpg', 'names no part of the URL'],
    ['', 'names no part of the URL'],
    ['{index}'.repeat(147), 'has more than 1024 bytes'],
  ])('%j is refused: %s', (template, reason) => {
    expect(templateProblem(template)).toContain(reason);
  });

  test('cannot lead out of the prefix, whatever the URL', () => {
    const template = fc.constantFrom(
      '{host}/{path}',
      '{path}',
      '{name}',
      '{stem}{ext}',
      'x{ext}/{stem}',
      '{stem}/{index}',
    );
    fc.assert(
      fc.property(anyUrl, template, (url, template) => {
        const key = templateKey(template, url, 1).normalize('NFC');
        // What no store could keep is refused when the list is read.
        if (keyProblem(key) === undefined) expect(posix.join('/files', key)).toBe(`/files/${key}`);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a key that a user gives', () => {
  test.each(['a', 'a/b.jpg', 'été/😀', 'a b', '.hidden', '..a', 'a..', '...', 'C:', '~', '__proto__', 'x'.repeat(255)])(
    'can be %j',
    (key) => expect(keyProblem(key)).toBeUndefined(),
  );

  test.each([
    ['', 'is empty'],
    ['/a', 'starts with /'],
    ['a/', 'empty segment'],
    ['a//b', 'empty segment'],
    ['.', 'has the segment .'],
    ['a/./b', 'has the segment .'],
    ['..', 'has the segment ..'],
    ['a/../../b', 'has the segment ..'],
    ['a/..', 'has the segment ..'],
    ['a\\b', 'backslash'],
    ['a\0', 'control character'],
    ['a\nb', 'control character'],
    ['a\x7f', 'control character'],
    ['a\x85', 'control character'],
    ['a\ud800', 'control character'],
    ['x'.repeat(256), 'a segment of more than 255 bytes'],
    [`a/${'é'.repeat(128)}`, 'a segment of more than 255 bytes'],
    ['x/'.repeat(600) + 'x', 'has 1201 bytes; at most 1024 fit'],
  ])('cannot be %j: %s', (key, reason) => {
    expect(keyProblem(key)).toContain(reason);
  });

  test('must leave room for the prefix', () => {
    expect(keyProblem('abcd', 4)).toBeUndefined();
    expect(keyProblem('abcé', 4)).toBe('has 5 bytes; at most 4 fit behind the prefix');
  });
});
