import { HttpError } from './http-error.ts';

/** A message's header fields by their names in lower case. */
export type Headers = Readonly<Record<string, string | undefined>>;

/** What comes before a response's body. */
export interface Head {
  /** Of HTTP/1.0 or HTTP/1.1 (RFC 9112, section 2.3). */
  minor: 0 | 1;
  status: number;
  headers: Headers;
}

/** Of the reason nobody reads anything. */
const STATUS_LINE = /^HTTP\/1\.([01]) (\d{3})(?: [^\n\r]*)?$/;
const START = 'HTTP/1.';
/** A field's name (RFC 9110, section 5.6.2). */
export const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;
const CONTROL = /[\0-\x08\x0a-\x1f\x7f]/;
/** Fields of one value: what comes after the first is dropped, while others are lists (RFC 9110, section 5.3). */
const SINGLETONS: ReadonlySet<string> = new Set([
  'content-type',
  'etag',
  'last-modified',
  'location',
  'retry-after',
  'date',
  'server',
]);

/** Reads a head, without the empty line that ends it. Errors: `HttpError`. */
export function parseHead(text: string): Head {
  const [, minor, status] = STATUS_LINE.exec(text.slice(0, lineEnd(text, 0))) ?? [];
  if (status === undefined) throw new HttpError('HTTP_BAD_STATUS_LINE');
  return { minor: minor === '0' ? 0 : 1, status: Number(status), headers: parseFields(text, lineEnd(text, 0) + 2) };
}

/** Reads header or trailer fields from `at` on. Errors: `HttpError`. */
export function parseFields(text: string, at = 0): Headers {
  // Without `constructor` and the like, which are names like any other.
  const headers = Object.create(null) as Record<string, string | undefined>;
  let name: string | undefined;
  for (let end; at < text.length; at = end + 2) {
    end = lineEnd(text, at);
    const isFolded = text.charCodeAt(at) === SPACE || text.charCodeAt(at) === TAB;
    const colon = isFolded ? at : text.indexOf(':', at);
    if (colon < 0 || colon > end) throw new HttpError('HTTP_BAD_HEADER');
    const value = trimmed(text, isFolded ? at : colon + 1, end);
    if (CONTROL.test(value)) throw new HttpError('HTTP_BAD_HEADER');
    if (isFolded) {
      // A field that goes on in the next line (RFC 9112, section 5.2).
      if (name === undefined) throw new HttpError('HTTP_BAD_HEADER');
      headers[name] = `${headers[name] ?? ''} ${value}`;
      continue;
    }
    name = text.slice(at, colon);
    if (!TOKEN.test(name)) throw new HttpError('HTTP_BAD_HEADER');
    name = name.toLowerCase();
    const before = headers[name];
    if (before === undefined) headers[name] = value;
    else if (!SINGLETONS.has(name)) headers[name] = `${before}, ${value}`;
  }
  return headers;
}

/** Fails if what has come of a head cannot be the beginning of one, instead of waiting for the rest. */
export function checkBeginning(text: string): void {
  const isStart = text.startsWith(START) || START.startsWith(text);
  if (!isStart || /(^|[^\r])\n/.test(text)) throw new HttpError('HTTP_BAD_STATUS_LINE');
}

const SPACE = 32;
const TAB = 9;

function lineEnd(text: string, from: number): number {
  const end = text.indexOf('\r\n', from);
  return end < 0 ? text.length : end;
}

function trimmed(text: string, from: number, to: number): string {
  const isBlank = (at: number) => text.charCodeAt(at) === SPACE || text.charCodeAt(at) === TAB;
  while (from < to && isBlank(from)) from += 1;
  while (to > from && isBlank(to - 1)) to -= 1;
  return text.slice(from, to);
}
