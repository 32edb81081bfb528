import type { TextRange } from '../lists/item.ts';
import type { Entry } from '../model/entry.ts';
import { MAX_KEY_SEGMENT_BYTES } from '../model/limits.ts';

/**
 * Plain URLs: those of most of the web's files. They are canonical as they stand, without being parsed, and host and path
 * are their key.
 */
const SCHEME = 'https://';
/** Bytes of a plain URL at most. */
export const MAX_PLAIN_BYTES = SCHEME.length + MAX_KEY_SEGMENT_BYTES;
const MAX_EXTENSION_BYTES = 10;

const SCHEME_BYTES = Buffer.from(SCHEME);
const [HYPHEN, DOT, SLASH] = Buffer.from('-./');
/** What a byte can be part of, in bits. */
const [LETTER, HOST, NAME, EXTENSION] = [1, 2, 4, 8];
const PARTS = Uint8Array.from({ length: 256 }, (_, byte) => {
  const is = (pattern: RegExp, part: number) => (pattern.test(String.fromCharCode(byte)) ? part : 0);
  return is(/[a-z]/, LETTER) | is(/[a-z0-9-]/, HOST) | is(/[\w~-]/, NAME) | is(/[A-Za-z0-9]/, EXTENSION);
});
const isPart = (byte: number | undefined, part: number) => ((PARTS[byte ?? 0] ?? 0) & part) !== 0;

/**
 * Where the host of a plain URL ends; 0 for any other text. A plain one has https, no port, a host of labels of which none
 * is Punycode and the last begins with a letter (else it could be an address), and a path of names of which none is empty,
 * begins with a dot or has anything escaped, and the last has an extension. Of such a text WHATWG's parser changes nothing.
 */
export function plainHostEnd({ bytes, from, to }: TextRange): number {
  if (to - from > MAX_PLAIN_BYTES) return 0;
  for (let i = 0; i < SCHEME_BYTES.length; i++) if (bytes[from + i] !== SCHEME_BYTES[i]) return 0;
  const hostEnd = endOfHost(bytes, plainKeyStart(from), to);
  return hostEnd > 0 && isPlainPath(bytes, hostEnd, to) ? hostEnd : 0;
}

/** Where the key of a plain URL begins. */
export function plainKeyStart(from: number): number {
  return from + SCHEME_BYTES.length;
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
  return label < at && isPart(bytes[label], LETTER) ? at : 0;
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
  return plainHostEnd({ bytes: SCRATCH, from: 0, to: SCRATCH.write(url) }) > 0 ? url.slice(SCHEME.length) : undefined;
}

/** The entry of a plain URL. */
export function plainEntry(index: number, { bytes, from, to }: TextRange): Entry {
  const url = bytes.toString('latin1', from, to);
  return { index, url, key: url.slice(SCHEME.length) };
}
