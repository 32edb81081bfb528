import { describe, expect, test } from 'vitest';
import { checkBeginning, parseHead } from '../../../core/http1/head.ts';

const head = (...lines: string[]) => parseHead(['HTTP/1.1 200 OK', ...lines].join('\r\n'));
const BROKEN = expect.objectContaining({ name: 'HttpError' }) as unknown;
const isRefused = (read: () => unknown) => expect(read).toThrow(BROKEN);

describe('a status line', () => {
  test.each([
    ['HTTP/1.1 200 OK', { minor: 1, status: 200 }],
    ['HTTP/1.0 404 Not Found', { minor: 0, status: 404 }],
    ['HTTP/1.1 200 ', { minor: 1, status: 200 }],
    ['HTTP/1.1 200', { minor: 1, status: 200 }],
    ['HTTP/1.1 299 d\u00e9j\u00e0 vu', { minor: 1, status: 299 }],
  ])('%s', (line, expected) => {
    expect(parseHead(line)).toEqual({ ...expected, headers: {} });
  });

  test.each([
    'HTTP/1.2 200 OK',
    'HTTP/2 200',
    'http/1.1 200 OK',
    'HTTP/1.1  200 OK',
    'HTTP/1.1 20 OK',
    'HTTP/1.1 2000 OK',
    'HTTP/1.1 200OK',
    'HTTP/1.1 200 a\nb',
    'ICY 200 OK',
    '',
  ])('%j is none', (line) => {
    isRefused(() => parseHead(line));
  });
});

describe('fields', () => {
  test('are known by their names in lower case, without the blanks around their values', () => {
    expect(head('ETag:"x"', 'Content-Type: \t text/plain \t', 'X-Empty:').headers).toEqual({
      etag: '"x"',
      'content-type': 'text/plain',
      'x-empty': '',
    });
  });

  test('that come twice are a list, unless they can have one value: that is the first', () => {
    const { headers } = head('Accept-Ranges: bytes', 'accept-ranges: x', 'Location: /a', 'Location: /b');
    expect(headers).toEqual({ 'accept-ranges': 'bytes, x', location: '/a' });
  });

  test('that go on in the next line are one', () => {
    expect(head('X: a', ' b', '\tc').headers).toEqual({ x: 'a b c' });
  });

  test('of names that objects have of their own are like all others', () => {
    expect(head('constructor: a', '__proto__: b', 'ETag: "x"').headers).toMatchObject({
      constructor: 'a',
      etag: '"x"',
    });
  });

  test.each([
    ['no colon'],
    [': no name'],
    ['a name: x'],
    ['name : x'],
    ['n\u00e4me: x'],
    ['X: a\0b'],
    ['X: a\rb'],
    ['X: a\nb'],
    ['X: a\x7fb'],
  ])('%j is none', (line) => {
    isRefused(() => head(line));
  });

  test('cannot go on from nothing', () => {
    isRefused(() => head(' X: a'));
  });
});

describe('the beginning of a head', () => {
  test.each(['', 'H', 'HTTP/1.', 'HTTP/1.1 200 OK\r\nX', 'HTTP/1.1 200 OK\r'])('%j can be one', (text) => {
    checkBeginning(text);
  });

  test.each(['S', 'HTTP/2', '\0\0\x12', 'HTTP/1.1 200 OK\nX: a\n\n'])('%j cannot, and is not waited on', (text) => {
    isRefused(() => checkBeginning(text));
  });
});
