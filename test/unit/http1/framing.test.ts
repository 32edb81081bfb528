import { describe, expect, test } from 'vitest';
import { framingOf, readChunked, readLength } from '../../../core/http1/framing.ts';
import type { Headers } from '../../../core/http1/head.ts';

const MAX_TRAILER_BYTES = 1000;
const framing = (headers: Headers, status = 200) => framingOf({ minor: 1, status, headers });

describe('what marks the end of a body', () => {
  test.each<[string, Headers, unknown]>([
    ['its length', { 'content-length': '5' }, 5],
    ['a length with zeros before it', { 'content-length': '0005' }, 5],
    ['chunks', { 'transfer-encoding': 'chunked' }, 'chunked'],
    ['chunks, in other letters', { 'transfer-encoding': 'gzip, CHUNKED' }, 'chunked'],
    ['a coding that is not chunked', { 'transfer-encoding': 'gzip' }, 'close'],
    ['chunked that is not the last', { 'transfer-encoding': 'chunked, gzip' }, 'close'],
    ['nothing else', {}, 'close'],
  ])('%s', (_, headers, expected) => {
    expect(framing(headers)).toBe(expected);
  });

  test.each([204, 304])('the head, of a %i', (status) => {
    expect(framing({ 'content-length': '5' }, status)).toBe(0);
  });

  test.each(['', '-5', '+5', '5, 5', '5 5', '0x5', '5.0', '1e3', '9'.repeat(20)])(
    'a length of %j is none',
    (length) => {
      expect(() => framing({ 'content-length': length })).toThrow('HTTP_BAD_LENGTH');
    },
  );

  test('length and chunks together are nothing', () => {
    expect(() => framing({ 'content-length': '5', 'transfer-encoding': 'chunked' })).toThrow('HTTP_BAD_LENGTH');
  });
});

/** All that a chunked message is read as, which comes in pieces of `step` bytes. */
function chunked(message: string, step: number) {
  let body = '';
  const reader = readChunked(MAX_TRAILER_BYTES, (piece) => (body += piece.toString('latin1')));
  const bytes = Buffer.from(message, 'latin1');
  for (let at = 0; at < bytes.length; at += step) {
    const piece = bytes.subarray(at, at + step);
    const end = reader.read(piece, 0);
    if (reader.isWhole) return { body, rest: bytes.toString('latin1', at + end) };
  }
  return { body, rest: undefined };
}

describe.each([1, 2, 3, 7, 1000])('a chunked body that comes by %i bytes', (step) => {
  test.each([
    ['two chunks', '5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n', 'hello world'],
    ['none', '0\r\n\r\n', ''],
    ['hex sizes', 'B\r\nhello world\r\n00\r\n\r\n', 'hello world'],
    ['leading zeros', '000000000000000000005\r\nhello\r\n0\r\n\r\n', 'hello'],
    ['extensions', '5;a=b;c="d"\r\nhello\r\n0;e\r\n\r\n', 'hello'],
    ['blanks behind a size', '5  \r\nhello\r\n0\r\n\r\n', 'hello'],
    ['trailers', '5\r\nhello\r\n0\r\nX: 1\r\nY: 2\r\n\r\n', 'hello'],
    ['line ends in a chunk', '4\r\n\r\n\r\n\r\n0\r\n\r\n', '\r\n\r\n'],
  ])('is read to its end, and no further: %s', (_, message, body) => {
    expect(chunked(`${message}HTTP/1.1`, step)).toEqual({ body, rest: 'HTTP/1.1' });
  });

  test('is not whole without its end', () => {
    expect(chunked('5\r\nhello\r\n0\r\n', step)).toEqual({ body: 'hello', rest: undefined });
  });

  test.each([
    ['no size', 'zz\r\n'],
    ['an empty size', '\r\n'],
    ['a negative size', '-1\r\nx'],
    ['a size beyond all numbers', `${'f'.repeat(17)}\r\n`],
    ['a line that ends with LF alone', '5\nhello\r\n0\r\n\r\n'],
    ['a chunk longer than its size', '4\r\nhello\r\n0\r\n\r\n'],
    ['an endless first line', `5;${'x'.repeat(10_000)}`],
    ['endless trailers', `0\r\n${'X: x\r\n'.repeat(1000)}`],
    ['an endless trailer', `0\r\nX: ${'x'.repeat(10_000)}`],
    ['a trailer that is none', '0\r\nno colon\r\n\r\n'],
    ['a length among its trailers', '0\r\nContent-Length: 3\r\n\r\n'],
  ])('is refused: %s', (_, message) => {
    expect(() => chunked(message, step)).toThrow(expect.objectContaining({ name: 'HttpError' }) as Error);
  });
});

test('a body of a length ends there, however it comes', () => {
  let body = '';
  const reader = readLength(5, (piece) => (body += piece.toString()));
  expect(reader.read(Buffer.from('xxhel'), 2)).toBe(5);
  expect(reader.isWhole).toBe(false);
  expect(reader.read(Buffer.from('loHTTP'), 0)).toBe(2);
  expect({ body, isWhole: reader.isWhole }).toEqual({ body: 'hello', isWhole: true });
});
