import { isUtf8 } from 'node:buffer';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { unreadable, unusable } from './item.ts';

const NEWLINE = 0x0a;
const GZIP_MAGIC = Buffer.from([0x1f, 0x8b]);
const UTF8_BOM = Buffer.from([0xef, 0xbb, 0xbf]);
const MIB = 1024 ** 2;

/**
 * A list's text as valid UTF-8, without its byte order mark, in pieces that end between two characters. A list that
 * begins as gzip does is unpacked: no format begins like that.
 *
 * @param maxBytes of the text; a small list can unpack to a very large one
 * @throws InvalidListError for what is no gzip or no UTF-8, ends before its end, or is too large
 */
export async function* decodeList(bytes: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<Buffer> {
  yield* decodeText(limited(unpacked(bytes), maxBytes));
}

async function* unpacked(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const { first, all } = await peek(bytes, GZIP_MAGIC.length);
  yield* isGzip(first) ? gunzip(all) : all;
}

/** Whether bytes begin as those of gzip do. */
export function isGzip(bytes: Buffer): boolean {
  return bytes.subarray(0, GZIP_MAGIC.length).equals(GZIP_MAGIC);
}

/** The first `length` bytes or more, fewer if there are no more, and all of them. */
export async function peek(
  bytes: AsyncIterable<Buffer>,
  length: number,
): Promise<{ first: Buffer; all: AsyncGenerator<Buffer> }> {
  const iterator = bytes[Symbol.asyncIterator]();
  let first: Buffer = Buffer.alloc(0);
  while (first.length < length) {
    const next = await iterator.next();
    if (next.done === true) break;
    first = first.length === 0 ? next.value : Buffer.concat([first, next.value]);
  }
  async function* all() {
    try {
      if (first.length > 0) yield first;
      for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  }
  return { first, all: all() };
}

async function* gunzip(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const gunzip = createGunzip();
  // What fails the source or the unpacking is thrown by the loop as well.
  const feeding = pipeline(bytes, gunzip).catch(() => undefined);
  try {
    for await (const piece of gunzip) yield piece as Buffer;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code === 'Z_BUF_ERROR') throw unusable('ends before its gzip does', { cause: error });
    if (code.startsWith('Z_')) throw unusable('begins as gzip and is none', { cause: error });
    throw error;
  } finally {
    gunzip.destroy();
    await feeding;
  }
}

async function* limited(bytes: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<Buffer> {
  let read = 0;
  for await (const piece of bytes) {
    read += piece.length;
    if (read > maxBytes) throw unusable(`has more than ${maxBytes / MIB} MiB, unpacked; split it`);
    yield piece;
  }
}

async function* decodeText(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const { first, all } = await peek(bytes, UTF8_BOM.length);
  if (first.length > 1 && [0xfeff, 0xfffe].includes(first.readUInt16BE()))
    throw unusable('is in UTF-16; save it in UTF-8');
  let skip = first.subarray(0, UTF8_BOM.length).equals(UTF8_BOM) ? UTF8_BOM.length : 0;
  let at: Place = { line: 1, column: 1 };
  /** The beginning of a character whose end is yet to come. */
  let rest: Buffer = Buffer.alloc(0);
  for await (const piece of all) {
    const text = rest.length > 0 ? Buffer.concat([rest, piece]) : piece.subarray(skip);
    skip = 0;
    const end = endOfWhole(text);
    const whole = text.subarray(0, end);
    rest = text.subarray(end);
    if (!isUtf8(whole)) {
      const { line, column } = advance(at, whole.subarray(0, validBytes(whole)));
      throw unreadable(line, column, 'is not UTF-8');
    }
    at = advance(at, whole);
    if (whole.length > 0) yield whole;
  }
  if (rest.length > 0) throw unreadable(at.line, at.column, 'ends in the middle of a character');
}

/** A place in a text, from 1; columns in bytes. */
export interface Place {
  line: number;
  column: number;
}

/** Where a text goes on, after `text`. */
export function advance(from: Place, text: Buffer): Place {
  let { line, column } = from;
  let at = 0;
  for (let newline = text.indexOf(NEWLINE); newline >= 0; newline = text.indexOf(NEWLINE, at)) {
    line += 1;
    column = 1;
    at = newline + 1;
  }
  return { line, column: column + text.length - at };
}

/** Where the last character begins if it does not end within the text; else the text's end. */
function endOfWhole(text: Buffer): number {
  for (let at = text.length - 1; at >= Math.max(0, text.length - 3); at--) {
    const byte = text[at] ?? 0;
    if (byte >> 6 !== 0b10) return at + characterBytes(byte) > text.length ? at : text.length;
  }
  return text.length;
}

/** How many bytes of a text are UTF-8, character by character. */
function validBytes(text: Buffer): number {
  let at = 0;
  while (at < text.length) {
    const end = at + characterBytes(text[at] ?? 0);
    if (!isUtf8(text.subarray(at, end))) return at;
    at = end;
  }
  return at;
}

/** Bytes of a character, by its first one. */
function characterBytes(first: number): number {
  if (first >= 0xf0) return 4;
  if (first >= 0xe0) return 3;
  return first >= 0xc0 ? 2 : 1;
}
