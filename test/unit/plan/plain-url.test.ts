import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hostOf } from '../../../core/model/entry.ts';
import { checkEntry } from '../../../core/plan/check-entry.ts';
import { lineOf, writePlainLine } from '../../../core/plan/manifest-line.ts';
import { plainEntry, plainHostEnd } from '../../../core/plan/plain-url.ts';

/** A text as part of a list. */
function rangeOf(text: string) {
  const before = 'https://other.example/a.jpg\n';
  const bytes = Buffer.from(`${before}${text}\n/b.jpg`);
  return { bytes, from: before.length, to: bytes.length - '\n/b.jpg'.length };
}

/** The host of a plain URL; `undefined` for any other text. */
function plainHost(text: string): string | undefined {
  const range = rangeOf(text);
  const end = plainHostEnd(range);
  return end === 0 ? undefined : String(range.bytes.subarray(range.from, end));
}

describe('a URL is plain', () => {
  test.each([
    'https://example.com/a.jpg',
    'https://localhost/a.jpg',
    'https://0.a-b.1.example/~user/-/_/v1.2/Data.tar.gz',
    `https://h/${'x'.repeat(250)}.j`,
    'http://example.com/a.jpg',
    'http://example.com:8080/a.jpg',
    'http://example.com:443/a.jpg',
    'http://example.com:65535/a.jpg',
    'https://127.0.0.1/a.jpg',
    'http://10.0.255.200:9000/a/b.jpg',
    `http://h/${'x'.repeat(246)}.jpg`,
  ])('%s', (url) => expect(plainHost(url)).toBe(hostOf(url)));
});

describe('a URL is not plain', () => {
  test.each([
    ['without a path', 'https://example.com'],
    ['without a name', 'https://example.com/'],
    ['without an extension', 'https://example.com/a'],
    ['with a dot at its end', 'https://example.com/a.'],
    ['with an extension that may be none', 'https://example.com/a.abcdefghijk'],
    ['with a hyphen in its extension', 'https://example.com/a.tar-gz'],
    ['with a dot in a folder only', 'https://example.com/v1.2/a'],
    ['with an empty folder', 'https://example.com//a.jpg'],
    ['with a name that begins with a dot', 'https://example.com/.a.jpg'],
    ['with a dot segment', 'https://example.com/../a.jpg'],
    ['with something escaped', 'https://example.com/a%20b.jpg'],
    ['with a query', 'https://example.com/a.jpg?b=c.jpg'],
    ['with a fragment', 'https://example.com/a.jpg#b.jpg'],
    ['of another scheme', 'ftp://example.com/a.jpg'],
    ['with a scheme in capitals', 'HTTPS://example.com/a.jpg'],
    ['with a host in capitals', 'https://Example.com/a.jpg'],
    ['with a port and https', 'https://example.com:8080/a.jpg'],
    ["with https's own port", 'https://example.com:443/a.jpg'],
    ["with http's own port", 'http://example.com:80/a.jpg'],
    ['with port 0', 'http://example.com:0/a.jpg'],
    ['with a zero before its port', 'http://example.com:08080/a.jpg'],
    ['with a port that there is not', 'http://example.com:65536/a.jpg'],
    ['with an empty port', 'http://example.com:/a.jpg'],
    ['with a user', 'https://user@example.com/a.jpg'],
    ['with a short address', 'https://127.1/a.jpg'],
    ['with a long address', 'https://1.2.3.4.5/a.jpg'],
    ['with an address that there is not', 'https://127.0.0.256/a.jpg'],
    ['with an address in octal', 'https://127.0.0.01/a.jpg'],
    ['with an address in hex', 'https://a.0x7f/a.jpg'],
    ['with a dot behind its host', 'https://example.com./a.jpg'],
    ['with an empty label', 'https://a..example.com/a.jpg'],
    ['with Punycode', 'https://xn--bcher-kva.example/a.jpg'],
    ['with what is no Punycode', 'https://xn--zz.example/a.jpg'],
    ['with an underscore in its host', 'https://a_b.example/a.jpg'],
    ['beyond ASCII', 'https://bücher.example/ü.jpg'],
    ['with a space behind', 'https://example.com/a.jpg '],
    ['with a key longer than a name may be', `https://h/${'x'.repeat(250)}.jpg`],
    ['with a key that its port makes so long', `http://h/${'x'.repeat(247)}.jpg`],
    ['without a host', 'https:///a.jpg'],
    ['that is cut off', 'https:/'],
    ['that is empty', ''],
  ])('%s', (_, url) => expect(plainHost(url)).toBeUndefined());
});

const label = fc.oneof(
  { weight: 5, arbitrary: fc.stringMatching(/^[a-z][a-z0-9]{0,70}$/) },
  fc.stringMatching(/^[a-z0-9-]{1,70}$/),
  fc.constantFrom(
    'com',
    'a-b',
    '-a',
    'a-',
    'xn--a',
    'xn--bcher-kva',
    'a--b',
    '0x1',
    '1',
    '0',
    '',
    'x9',
    '9x',
    'A',
    'ä',
    '_',
  ),
);
const name = fc.oneof(
  { weight: 5, arbitrary: fc.stringMatching(/^[\w~-][\w.~-]{0,12}$/) },
  fc.constantFrom(
    'a',
    'a.jpg',
    '.',
    '..',
    '...',
    '',
    '.a',
    'a.',
    '%2e',
    'a%20b.jpg',
    'é.jpg',
    'a b',
    "a'b.c",
    'a:b.c',
    '\\',
  ),
);
const url = fc
  .record({
    scheme: fc.oneof(
      { weight: 9, arbitrary: fc.constantFrom('https://', 'http://') },
      fc.constantFrom('https:/', 'Https://', 'http:/'),
    ),
    host: fc.oneof(
      { weight: 4, arbitrary: fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.')) },
      fc
        .array(fc.oneof(fc.nat(300), fc.constantFrom('00', '01', '0x1')), { minLength: 3, maxLength: 5 })
        .map((numbers) => numbers.join('.')),
    ),
    port: fc.oneof(
      { weight: 2, arbitrary: fc.constant('') },
      fc.nat(70_000).map((port) => `:${port}`),
      fc.constantFrom(':', ':80', ':443', ':0', ':08', ':8a'),
    ),
    path: fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/')),
    end: fc.oneof({ weight: 5, arbitrary: fc.constantFrom('/a.jpg', '.gz') }, fc.constantFrom('', '?', '?a', '#', ' ')),
  })
  .map(({ scheme, host, port, path, end }) => `${scheme}${host}${port}/${path}${end}`);

test('a plain URL is one that parsing does not change, and its entry and line are those of the long way', () => {
  let plain = 0;
  /** Scheme, whether there is a port, and whether the host is an address. */
  const kinds = new Set<string>();
  fc.assert(
    fc.property(url, fc.integer({ min: 1, max: 10_000_000 }), (text, index) => {
      const host = plainHost(text);
      if (host === undefined) return;
      plain += 1;
      expect(new URL(text).href).toBe(text);
      expect(hostOf(text)).toBe(host);
      const range = rangeOf(text);
      const entry = plainEntry(index, range, plainHostEnd(range));
      expect(checkEntry({ line: index, value: text }, { prefix: '', keyTemplate: '{host}/{path}' })).toEqual(entry);
      const target = Buffer.alloc(1000);
      expect(target.toString('utf8', 7, writePlainLine(target, 7, index, range))).toBe(lineOf(entry));
      kinds.add(`${text.slice(0, 5)} ${/:\d/.test(text)} ${/\/[\d.:]+\//.test(text)}`);
    }),
    { numRuns: 5000 },
  );
  expect(plain).toBeGreaterThan(100);
  expect(kinds.size).toBe(6);
});
