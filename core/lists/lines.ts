import { advance } from './decode.ts';
import type { InvalidListError } from '../model/errors.ts';
import { unreadable } from './item.ts';

export const NEWLINE = 0x0a;
/** Bytes of one line: room for a URL, a key and all request headers of an entry, every character of them escaped. */
export const MAX_LINE_BYTES = 256 * 1024;

export interface Line {
  /** From 1. */
  line: number;
  /** Without its end, be that LF or CRLF. */
  text: string;
}

/** Lines of a text that came together. */
export interface LineBlock {
  /** The first one's, from 1. */
  line: number;
  /** They are whole, each with its end, but perhaps the text's last one. */
  bytes: Buffer;
}

/**
 * A text as whole lines, those of a piece at a time.
 *
 * @throws InvalidListError for a line that is longer than a piece, and too long
 */
export async function* readLineBlocks(pieces: AsyncIterable<Buffer>): AsyncGenerator<LineBlock> {
  let line = 1;
  let rest: Buffer = Buffer.alloc(0);
  for await (const piece of pieces) {
    const text = rest.length > 0 ? Buffer.concat([rest, piece]) : piece;
    const end = text.lastIndexOf(NEWLINE) + 1;
    rest = text.subarray(end);
    if (end > 0) {
      const bytes = text.subarray(0, end);
      yield { line, bytes };
      line = advance({ line, column: 1 }, bytes).line;
    }
    if (rest.length > MAX_LINE_BYTES) throw tooLong(line);
  }
  if (rest.length > 0) yield { line, bytes: rest };
}

/**
 * A text's lines, those of a piece at a time.
 *
 * @throws InvalidListError for a line that is too long
 */
export async function* readLines(pieces: AsyncIterable<Buffer>): AsyncGenerator<Iterable<Line>> {
  for await (const { line, bytes } of readLineBlocks(pieces)) {
    const isEnded = bytes.at(-1) === NEWLINE;
    yield numbered(bytes.toString('utf8', 0, bytes.length - (isEnded ? 1 : 0)).split('\n'), line);
  }
}

function* numbered(lines: readonly string[], first: number): Generator<Line> {
  let line = first;
  for (const text of lines) yield withoutReturn(line++, text);
}

function withoutReturn(line: number, text: string): Line {
  if (text.length > MAX_LINE_BYTES) throw tooLong(line);
  return { line, text: text.endsWith('\r') ? text.slice(0, -1) : text };
}

export function tooLong(line: number): InvalidListError {
  return unreadable(line, 1, `is a line of more than ${MAX_LINE_BYTES} bytes`);
}
