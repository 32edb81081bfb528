import { parseFields, type Head } from './head.ts';
import { HttpError } from './http-error.ts';

/** What marks the end of a body: a number of bytes, chunks, or the end of the connection (RFC 9112, section 6.3). */
export type Framing = number | 'chunked' | 'close';

/** How the body of the response to a GET ends. Errors: `HttpError`. */
export function framingOf({ status, headers }: Head): Framing {
  const { 'transfer-encoding': coding, 'content-length': length } = headers;
  // Which of the two is meant nobody knows: where they are told apart in two ways a message hides in another.
  if (coding !== undefined && length !== undefined) throw new HttpError('HTTP_BAD_LENGTH');
  // Neither a sign, nor a list, as of several fields, nor what is beyond all files.
  if (length !== undefined && !/^\d{1,19}$/.test(length)) throw new HttpError('HTTP_BAD_LENGTH');
  if (status === 101 || status === 204 || status === 304) return 0;
  if (coding !== undefined) return /(^|,)[ \t]*chunked$/i.test(coding) ? 'chunked' : 'close';
  return length === undefined ? 'close' : Number(length);
}

/** Takes a body apart that comes bit by bit. */
export interface BodyReader {
  /** Gives the body's bytes in `bytes` from `from` on to `emit`; answers where the body ends, or that all was of it. */
  read: (bytes: Buffer, from: number) => number;
  /** Whether the body's end has come; whoever sees the connection end says so where that marks it. */
  isWhole: boolean;
  readonly endsByClose: boolean;
}

/** Reads a body that is as long as `length` says. */
export function readLength(length: number, emit: (piece: Buffer) => void): BodyReader {
  let left = length;
  const reader = {
    isWhole: left === 0,
    endsByClose: false,
    read(bytes: Buffer, from: number) {
      const to = Math.min(bytes.length, from + left);
      if (to > from) emit(bytes.subarray(from, to));
      left -= to - from;
      reader.isWhole = left === 0;
      return to;
    },
  };
  return reader;
}

/** Reads a body that ends with its connection. */
export function readToClose(emit: (piece: Buffer) => void): BodyReader {
  return {
    isWhole: false,
    endsByClose: true,
    read(bytes, from) {
      if (bytes.length > from) emit(bytes.subarray(from));
      return bytes.length;
    },
  };
}

/** Bytes of a chunk's first line, its extensions included, which mean nothing to us. */
const MAX_CHUNK_LINE_BYTES = 4096;
const CHUNK_LINE = /^0*([\da-f]{1,13})[ \t]*(?:;[^\n\r]*)?$/i;
const LF = 10;

/** Reads a chunked body (RFC 9112, section 7.1). Errors: `HttpError`. */
export function readChunked(maxTrailerBytes: number, emit: (piece: Buffer) => void): BodyReader {
  /** What comes next: a chunk's first line, its bytes, the line end behind them, or the trailer fields. */
  let state: 'size' | 'bytes' | 'end' | 'trailers' = 'size';
  let left = 0;
  /** The part of a line that has come. */
  let line = '';
  let trailers = '';

  function takeLine(text: string): void {
    if (state === 'size') {
      const [, size] = CHUNK_LINE.exec(text) ?? [];
      if (size === undefined) throw new HttpError('HTTP_BAD_CHUNK');
      left = Number.parseInt(size, 16);
      state = left === 0 ? 'trailers' : 'bytes';
    } else if (state === 'end') {
      state = 'size'; // the line is empty: see below
    } else if (text !== '') {
      trailers += `${text}\r\n`;
      if (trailers.length > maxTrailerBytes) throw new HttpError('HTTP_HEADERS_TOO_LARGE');
    } else {
      const fields = parseFields(trailers);
      const isFraming = 'content-length' in fields || 'transfer-encoding' in fields;
      if (isFraming) throw new HttpError('HTTP_BAD_LENGTH');
      reader.isWhole = true;
    }
  }

  const reader: BodyReader = {
    isWhole: false,
    endsByClose: false,
    read(bytes, from) {
      let at = from;
      while (at < bytes.length && !reader.isWhole) {
        if (state === 'bytes') {
          const to = Math.min(bytes.length, at + left);
          emit(bytes.subarray(at, to));
          left -= to - at;
          at = to;
          if (left === 0) state = 'end';
          continue;
        }
        const lf = bytes.indexOf(LF, at);
        const to = lf < 0 ? bytes.length : lf + 1;
        line += bytes.toString('latin1', at, to);
        at = to;
        if (state === 'end' && !'\r\n'.startsWith(line)) throw new HttpError('HTTP_BAD_CHUNK');
        const most = state === 'trailers' ? maxTrailerBytes : MAX_CHUNK_LINE_BYTES;
        if (line.length > most) throw new HttpError(state === 'trailers' ? 'HTTP_HEADERS_TOO_LARGE' : 'HTTP_BAD_CHUNK');
        if (lf < 0) break;
        if (!line.endsWith('\r\n')) throw new HttpError('HTTP_BAD_CHUNK');
        const text = line.slice(0, -2);
        line = '';
        takeLine(text);
      }
      return at;
    },
  };
  return reader;
}
