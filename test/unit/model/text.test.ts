import { expect, it } from 'vitest';
import { byteSize, counted, duration, percent, threeDigits, visible } from '../../../core/model/text.ts';

it.each([
  ['plain, ünï, 漢字 and 🐈', 'plain, ünï, 漢字 and 🐈'],
  ['\u001b]0;title\u0007', '\\u{1b}]0;title\\u{7}'],
  ['a\nb\rc\td', 'a\\u{a}b\\u{d}c\\u{9}d'],
  ['\u009b31m', '\\u{9b}31m'],
  ['photo\u202egpj.exe', 'photo\\u{202e}gpj.exe'],
  ['zero\u200bwidth \ufeff\u2028line', 'zero\\u{200b}width \\u{feff}\\u{2028}line'],
  ['half \ud83d', 'half \\u{d83d}'],
  ['blank \u3164', 'blank \\u{3164}'],
])('what hides in a text is shown: %j', (text, shown) => expect(visible(text)).toBe(shown));

it.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1 kB'],
  [1234, '1.23 kB'],
  [9996, '10.0 kB'],
  [45_600_000, '45.6 MB'],
  [999_499, '999 kB'],
  [999_500, '1.00 MB'],
  [5e18, '5,000 PB'],
])('%d bytes are %s', (bytes, text) => expect(byteSize(bytes)).toBe(text));

it.each([
  [0, '0 s'],
  [0.2, '1 s'],
  [59.5, '1 min'],
  [185, '3 min 5 s'],
  [3600, '1 h'],
  [12_000, '3 h 20 min'],
  [86_399, '1 d'],
  [187_200, '2 d 4 h'],
])('%d seconds are %s', (seconds, text) => expect(duration(seconds)).toBe(text));

it.each([
  [0.25, '0.25'],
  [9.999, '10.0'],
  [99.96, '100'],
  [1234.5, '1,235'],
])('%d in three digits is %s', (n, text) => expect(threeDigits(n)).toBe(text));

it.each([
  [0, 0, 0],
  [0, 7, 0],
  [1, 1_000_000, 1],
  [999_999, 1_000_000, 99],
  [7, 7, 100],
])('%i of %i are %i %%: all only at the end, nothing only before the first', (part, of, share) => {
  expect(percent(part, of)).toBe(share);
});

it('one thing is not things', () => {
  expect([counted(1, 'file'), counted(1234, 'file')]).toEqual(['1 file', '1,234 files']);
});
