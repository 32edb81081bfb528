import { unreadable } from './item.ts';

const NEWLINE = 0x0a;
/** Bytes of one line: room for a URL, a key and all request headers of an entry, every character of them escaped. */
const MAX_LINE_BYTES = 256 * 1024;

export interface Line {
  /** From 1. */
  line: number;
  /** Without its end, be that LF or CRLF. */
  text: string;
}

/**
 * A text's lines, those of a piece at a time.
 *
 * @throws InvalidListError for a line that is too long
 */
export async function* readLines(pieces: AsyncIterable<Buffer>): AsyncGenerator<Iterable<Line>> {
  let line = 0;
  let rest: Buffer = Buffer.alloc(0);
  for await (const piece of pieces) {
    const text = rest.length > 0 ? Buffer.concat([rest, piece]) : piece;
    const end = text.lastIndexOf(NEWLINE);
    rest = text.subarray(end + 1);
    if (end >= 0) {
      const lines = text.toString('utf8', 0, end).split('\n');
      yield numbered(lines, line + 1);
      line += lines.length;
    }
    if (rest.length > MAX_LINE_BYTES) throw unreadable(line + 1, 1, `is a line of more than ${MAX_LINE_BYTES} bytes`);
  }
  if (rest.length > 0) yield numbered([rest.toString()], line + 1);
}

function* numbered(lines: readonly string[], first: number): Generator<Line> {
  let line = first;
  for (const text of lines) yield withoutReturn(line++, text);
}

function withoutReturn(line: number, text: string): Line {
  if (text.length > MAX_LINE_BYTES) throw unreadable(line, 1, `is a line of more than ${MAX_LINE_BYTES} bytes`);
  return { line, text: text.endsWith('\r') ? text.slice(0, -1) : text };
}
