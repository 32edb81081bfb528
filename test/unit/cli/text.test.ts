import { describe, expect, it } from 'vitest';
import { byteSize, duration, jsonLine, printable } from '../../../cli/text.ts';

describe('what lists and sources say', () => {
  it.each([
    ['\u001b]0;title\u0007', '\\u{1b}]0;title\\u{7}'],
    ['a\nb\rc\td', 'a\\u{a}b\\u{d}c\\u{9}d'],
    ['\u009b31m', '\\u{9b}31m'],
    ['photo\u202egpj.exe', 'photo\\u{202e}gpj.exe'],
    ['zero\u200bwidth\u2028line', 'zero\\u{200b}width\\u{2028}line'],
    ['half \ud800', 'half \\u{d800}'],
    ['Zürich 東京 🙂', 'Zürich 東京 🙂'],
  ])('is shown on a terminal, not obeyed: %j', (text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  it('is the same once read as JSON, and not obeyed before', () => {
    const value = { url: 'https://example.com/\u009b\u202e\u{e0041}🙂\n' };
    const line = jsonLine(value);
    expect(JSON.parse(line)).toEqual(value);
    expect(line).toMatch(/^[^\p{C}]*\n$/u);
  });
});

it.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [9949, '9.9 kB'],
  [9960, '10 kB'],
  [999_499, '999 kB'],
  [999_500, '1.0 MB'],
  [50e15, '50 PB'],
  [5e18, '5000 PB'],
])('%d bytes are %s', (bytes, text) => expect(byteSize(bytes)).toBe(text));

it.each([
  [0, '0 s'],
  [59.4, '59 s'],
  [59.6, '1 min 00 s'],
  [3599.4, '59 min 59 s'],
  [7800, '2 h 10 min'],
  [273_600, '3 d 4 h'],
])('%d seconds are %s', (seconds, text) => expect(duration(seconds)).toBe(text));
