import { describe, expect, test } from 'vitest';
import { bytes, counted, duration, percent } from '../../../web/browser/format.ts';
import { parseHeaders } from '../../../web/browser/headers.ts';
import { visible, webUrl } from '../../../web/browser/visible.ts';

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1 kB'],
  [1234, '1.23 kB'],
  [45_600_000, '45.6 MB'],
  [999_600, '1,000 kB'],
  [1e18, '1,000 PB'],
])('%i bytes are %s', (n, text) => expect(bytes(n)).toBe(text));

test.each([
  [0, '0 s'],
  [0.2, '1 s'],
  [59.5, '60 s'],
  [60, '1 min'],
  [3600, '1 h'],
  [12_000, '3 h 20 min'],
  [187_200, '2 d 4 h'],
])('%d seconds are %s', (seconds, text) => expect(duration(seconds)).toBe(text));

test.each([
  [0, 0, 0],
  [0, 7, 0],
  [1, 1_000_000, 1],
  [999_999, 1_000_000, 99],
  [7, 7, 100],
])('%i of %i are %i %%: all only at the end, nothing only before the first', (part, of, share) => {
  expect(percent(part, of)).toBe(share);
});

test('one thing is not things', () => {
  expect([counted(1, 'file'), counted(1234, 'file')]).toEqual(['1 file', '1,234 files']);
});

test.each([
  ['plain, ünï, 漢字 and 🐈', 'plain, ünï, 漢字 and 🐈'],
  ['a\u202ebc', 'a\\u{202e}bc'],
  ['tab\there\nnext', 'tab\\u{9}here\\u{a}next'],
  ['zero\u200bwidth \ufeff', 'zero\\u{200b}width \\u{feff}'],
  ['\u2066x\u2069 \u2028', '\\u{2066}x\\u{2069} \\u{2028}'],
  [' a  b ', '\\u{20}a  b\\u{20}'],
  ['\u3164\u2800.txt', '\\u{3164}\\u{2800}.txt'],
  ['half \ud83d', 'half \\u{d83d}'],
])('what hides in a text is shown: %j', (text, shown) => expect(visible(text)).toBe(shown));

test.each([
  ['https://example.com/a b', 'https://example.com/a%20b'],
  ['HTTP://EXAMPLE.com', 'http://example.com/'],
  ['javascript:alert(1)', undefined],
  [' \tjava\nscript:alert(1)', undefined],
  ['data:text/html,x', undefined],
  ['nowhere', undefined],
])('a browser is sent to the web and nowhere else: %j', (text, url) => expect(webUrl(text)).toBe(url));

describe('request headers', () => {
  test('are read a line at a time', () => {
    expect(parseHeaders('Authorization: Bearer a:b\n\n  referer:https://example.com/ \n')).toEqual({
      Authorization: 'Bearer a:b',
      referer: 'https://example.com/',
    });
  });

  test('that are none are told by their line', () => {
    expect(() => parseHeaders('a: b\nhush')).toThrow('Line 2 of the request headers is not “Name: value”.');
  });
});
