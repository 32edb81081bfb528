import { expect, test } from 'vitest';
import { redactUrl, shorten } from '../../../core/model/redact.ts';

test.each([
  ['https://h/a/b.jpg', 'https://h/a/b.jpg'],
  ['https://h:8080/a?sig=SECRET', 'https://h:8080/a?…'],
  ['https://h/a#SECRET', 'https://h/a'],
  ['https://u:SECRET@h/a', 'https://h/a'],
  ['https:u:SECRET@h/a', 'https://h/a'],
  ['https://h/@name/a', 'https://h/@name/a'],
  ['u:SECRET@h/a', '…'],
  ['https://u:SEC/RET@h/a', '…'],
  ['not a url?SECRET', 'not a url…'],
  ['', ''],
])('%j is told as %j', (text, told) => {
  expect(redactUrl(text)).toBe(told);
});

test('what is long is told in part', () => {
  expect(shorten('x'.repeat(200))).toBe('x'.repeat(200));
  expect(shorten('x'.repeat(201))).toBe(`${'x'.repeat(200)}…`);
  expect(redactUrl(`https://h/${'x'.repeat(5000)}`)).toHaveLength(201);
});
