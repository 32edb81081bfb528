import type { Entry } from '../model/entry.ts';
import type { TextRange } from '../lists/item.ts';
import { defaultKey } from './keys.ts';
import { MAX_PLAIN_BYTES } from './plain-url.ts';

/** What is around index and URL in the line of a plain URL. */
const [HEAD, MIDDLE, TAIL] = ['{"index":', ',"url":"', '"}\n'].map((text) => Buffer.from(text)) as [
  Buffer,
  Buffer,
  Buffer,
];
const ZERO = 0x30;
/** Bytes of such a line at most: an index has up to ten digits, since a list has less than 2^31 lines. */
export const MAX_PLAIN_LINE_BYTES = HEAD.length + 10 + MIDDLE.length + MAX_PLAIN_BYTES + TAIL.length;

/**
 * An entry as a line of the manifest. A key that is the URL's default one is left out: it makes up half of the line, and
 * ten million lines have to fit into one planner.
 */
export function lineOf(entry: Entry): string {
  const keyless = !entry.invalid && entry.key === defaultKey(entry.url);
  return `${JSON.stringify(keyless ? { ...entry, key: undefined } : entry)}\n`;
}

/** Writes the line of a plain URL to `at` of `target`, as `lineOf` makes it; answers where it ends. */
export function writePlainLine(target: Buffer, at: number, index: number, { bytes, from, to }: TextRange): number {
  let end = put(target, at, HEAD);
  end = putNumber(target, end, index);
  end = put(target, end, MIDDLE);
  end += bytes.copy(target, end, from, to);
  return put(target, end, TAIL);
}

/** Faster than `copy` for a few bytes. */
function put(target: Buffer, at: number, text: Buffer): number {
  for (let i = 0; i < text.length; i++) target[at + i] = text[i] ?? 0;
  return at + text.length;
}

/** The digits of a whole number from 0 to 2^31. */
function putNumber(target: Buffer, at: number, number: number): number {
  let end = at + 1;
  for (let rest = number; rest > 9; rest = (rest / 10) | 0) end += 1;
  for (let i = end - 1, rest = number; i >= at; i--, rest = (rest / 10) | 0) target[i] = ZERO + (rest % 10);
  return end;
}

/** The entry that a line of the manifest holds. */
export function entryOf(line: string): Entry {
  const entry = JSON.parse(line) as Omit<Entry, 'key'> & { key?: string };
  return { ...entry, key: entry.key ?? defaultKey(entry.url) };
}
