import type { Entry } from '../model/entry.ts';
import { defaultKey } from './keys.ts';

/**
 * An entry as a line of the manifest. A key that is the URL's default one is left out: it makes up half of the line, and
 * ten million lines have to fit into one planner.
 */
export function lineOf(entry: Entry): string {
  const keyless = !entry.invalid && entry.key === defaultKey(entry.url);
  return `${JSON.stringify(keyless ? { ...entry, key: undefined } : entry)}\n`;
}

/** The entry that a line of the manifest holds. */
export function entryOf(line: string): Entry {
  const entry = JSON.parse(line) as Omit<Entry, 'key'> & { key?: string };
  return { ...entry, key: entry.key ?? defaultKey(entry.url) };
}
