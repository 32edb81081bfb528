import type { TextRange } from '../lists/item.ts';
import type { Entry } from '../model/entry.ts';
import { MAX_KEY_SEGMENT_BYTES } from '../model/limits.ts';

/**
 * Plain URLs: those of most of the web's files. They are canonical as they stand, without being parsed, and host and path
 * are their key, with http its port, too.
 */
const [HTTPS, HTTP] = [Buffer.from('https://'), Buffer.from('http://')] as [Buffer, Buffer];
/** Bytes of a plain URL at most: all of its key could be one name. */
export const MAX_PLAIN_BYTES = HTTPS.length + MAX_KEY_SEGMENT_BYTES;
/** What stands for http's own port in a key. */
const HTTP_PORT = '_80';
const MAX_PORT = 65_535;
const MAX_EXTENSION_BYTES = 10;

const [HYPHEN, DOT, SLASH, COLON, LETTER_S] = Buffer.from('-./:s');
const ZERO = 0x30;
const NINE = 0x39;
/** What a byte can be part of, in bits. */
const [LETTER, HOST, NAME, EXTENSION] = [1, 2, 4, 8];
const PARTS = Uint8Array.from({ length: 256 }, (_, byte) => {
  const is = (pattern: RegExp, part: number) => (pattern.test(String.fromCharCode(byte)) ? part : 0);
  return is(/[a-z]/, LETTER) | is(/[a-z0-9-]/, HOST) | is(/[\w~-]/, NAME) | is(/[A-Za-z0-9]/, EXTENSION);
});
const isPart = (byte: number | undefined, part: number) => ((PARTS[byte ?? 0] ?? 0) & part) !== 0;

/**
 * Where the host of a plain URL ends, with its port if it has one; 0 for any other text. A plain one has a host of labels of
 * which none is Punycode and the last begins with a letter, or an IPv4 address as it is usually written; a port with http at most,
 * and another than http's own; and a path of names of which none is empty, begins with a dot or has anything escaped, and the last
 * has an extension. Of such a text WHATWG's parser changes nothing.
 */
export function plainHostEnd({ bytes, from, to }: TextRange): number {
  const isSecure = startsWith(bytes, from, HTTPS);
  if (!isSecure && !startsWith(bytes, from, HTTP)) return 0;
  const host = from + (isSecure ? HTTPS.length : HTTP.length);
  const nameEnd = endOfHost(bytes, host, to);
  const hostEnd = isSecure || bytes[nameEnd] !== COLON ? nameEnd : endOfPort(bytes, nameEnd + 1, to);
  const extraBytes = isSecure || hostEnd > nameEnd ? 0 : HTTP_PORT.length;
  if (to - host + extraBytes > MAX_KEY_SEGMENT_BYTES) return 0;
  return hostEnd > 0 && isPlainPath(bytes, hostEnd, to) ? hostEnd : 0;
}

/** Where the key of a plain URL begins in it; 0 with http, where port and host make a name of their own. */
export function plainKeyStart({ bytes, from }: TextRange): number {
  return bytes[from + 'http'.length] === LETTER_S ? from + HTTPS.length : 0;
}

function startsWith(bytes: Uint8Array, from: number, text: Buffer): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[from + i] !== text[i]) return false;
  return true;
}

function endOfHost(bytes: Uint8Array, from: number, to: number): number {
  let label = from;
  let at = from;
  for (; at < to; at++) {
    const byte = bytes[at];
    if (byte === DOT) {
      if (at === label) return 0;
      label = at + 1;
    } else if (byte === HYPHEN && bytes[at - 1] === HYPHEN) {
      return 0; // as in xn--
    } else if (!isPart(byte, HOST)) break;
  }
  const isHost = label < at && (isPart(bytes[label], LETTER) || isAddress(bytes, from, at));
  return isHost ? at : 0;
}

/** Whether it is an IPv4 address as the URL's parser writes it. */
function isAddress(bytes: Uint8Array, from: number, to: number): boolean {
  let numbers = 0;
  for (let at = from; at < to; at++) {
    const end = endOfNumber(bytes, at, to, 255);
    if (end === 0 || (end < to && bytes[end] !== DOT)) return false;
    numbers += 1;
    at = end;
  }
  return numbers === 4;
}

/** Where a number of decimal digits ends, without a zero before it, of `most` or less; 0 if there is none. */
function endOfNumber(bytes: Uint8Array, from: number, to: number, most: number): number {
  let number = 0;
  let at = from;
  for (; at < to; at++) {
    const byte = bytes[at] ?? 0;
    if (byte < ZERO || byte > NINE) break;
    if (at > from && number === 0) return 0;
    number = number * 10 + byte - ZERO;
    if (number > most) return 0;
  }
  return at > from ? at : 0;
}

/** Neither port 0, to which nothing leads, nor http's own, which the URL's parser drops. */
function endOfPort(bytes: Uint8Array, from: number, to: number): number {
  const end = endOfNumber(bytes, from, to, MAX_PORT);
  const isOwn = end === from + 2 && bytes[from] === ZERO + 8 && bytes[from + 1] === ZERO;
  return isOwn || bytes[from] === ZERO ? 0 : end;
}

/** @param from where it should have its first slash */
function isPlainPath(bytes: Uint8Array, from: number, to: number): boolean {
  if (from === to || bytes[from] !== SLASH) return false;
  let name = from + 1;
  let dot = from;
  for (let at = name; at < to; at++) {
    const byte = bytes[at];
    if (isPart(byte, NAME)) continue;
    if (at === name) return false;
    if (byte === SLASH) name = at + 1;
    else if (byte === DOT) dot = at;
    else return false;
  }
  const extension = dot + 1;
  if (dot < name || extension === to || to - extension > MAX_EXTENSION_BYTES) return false;
  for (let at = extension; at < to; at++) if (!isPart(bytes[at], EXTENSION)) return false;
  return true;
}

/** Room for a plain URL, whatever else is tried. */
const SCRATCH = Buffer.alloc(3 * MAX_PLAIN_BYTES);

/** The key of a plain URL; `undefined` for any other. */
export function plainKey(url: string): string | undefined {
  if (url.length > MAX_PLAIN_BYTES) return undefined;
  const hostEnd = plainHostEnd({ bytes: SCRATCH, from: 0, to: SCRATCH.write(url) });
  return hostEnd > 0 ? keyOf(url, hostEnd) : undefined;
}

/** The entry of a plain URL, whose host ends at `hostEnd`. */
export function plainEntry(index: number, { bytes, from, to }: TextRange, hostEnd: number): Entry {
  const url = bytes.toString('latin1', from, to);
  return { index, url, key: keyOf(url, hostEnd - from) };
}

function keyOf(url: string, hostEnd: number): string {
  if (url.startsWith('https')) return url.slice(HTTPS.length);
  const colon = url.lastIndexOf(':', hostEnd);
  const host = url.slice(HTTP.length, colon < HTTP.length ? hostEnd : colon);
  return colon < HTTP.length ? `${host}${HTTP_PORT}${url.slice(hostEnd)}` : `${host}_${url.slice(colon + 1)}`;
}
