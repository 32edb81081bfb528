import { describe, expect, test } from 'vitest';
import { parseHeaders } from '../../../web/browser/headers.ts';
import { visible, webUrl } from '../../../web/browser/visible.ts';

test.each([
  ['photo\u202egpj.exe', 'photo\\u{202e}gpj.exe'],
  [' a  b ', '\\u{20}a  b\\u{20}'],
])('what hides in a text is shown, spaces at its ends, too: %j', (text, shown) => expect(visible(text)).toBe(shown));

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
