import type { Entry } from '../model/entry.ts';
import { InvalidListError, MAX_LIST_PROBLEMS, type ListProblem } from '../model/errors.ts';
import { MAX_LIST_ENTRIES, MAX_LIST_HOSTS, MAX_MANIFEST_BYTES, MAX_URL_BYTES } from '../model/limits.ts';
import type { BatchOptions } from '../model/options.ts';
import { shorten } from '../model/redact.ts';
import { readItem, unusable, type ListBlock, type ListItem } from '../lists/item.ts';
import { checkEntry } from './check-entry.ts';
import { createEntryTable, type EntryTable } from './entry-table.ts';
import { plainEntry, plainHostEnd } from './plain-url.ts';

/** How many items pass between two looks at the clock. */
const ITEMS_PER_STEP = 1000;
/** How many problems the outcome of an invalid entry tells. */
const MAX_TOLD = 3;
const NOTHING_WRONG: readonly ListProblem[] = [];

/** What a planner has room for. */
const ROOM = { entries: MAX_LIST_ENTRIES, hosts: MAX_LIST_HOSTS, bytes: MAX_MANIFEST_BYTES };

/** A list comes in blocks, or is one. */
export type Items = ListBlock | AsyncIterable<ListBlock>;

/**
 * The entries of a list. Those that cannot be used are all told of, or, with `invalidEntries: fail`, are entries that
 * will fail.
 *
 * @param step called every so many items with how many were read; what it throws ends the reading
 * @throws InvalidListError for entries that cannot be used, for a list without any, and for one that is too large
 */
export async function collectEntries(
  items: Items,
  options: Pick<BatchOptions, 'prefix' | 'keyTemplate' | 'invalidEntries'>,
  step: (read: number) => Promise<void> = () => Promise.resolve(),
  room = ROOM,
): Promise<EntryTable> {
  const table = createEntryTable();
  const problems: ListProblem[] = [];
  let read = 0;

  /** Takes an item's entry in; answers what is wrong with it. */
  function take(item: ListItem): readonly ListProblem[] {
    const hostEnd = 'bytes' in item && options.keyTemplate === undefined ? plainHostEnd(item) : 0;
    if ('bytes' in item && hostEnd > 0) {
      const taken = table.addPlain(item.line, item, hostEnd);
      return taken ? [keyTaken(plainEntry(item.line, item, hostEnd), taken)] : NOTHING_WRONG;
    }
    const entry = checkEntry(readItem(item), options);
    if (Array.isArray(entry)) return entry;
    const taken = table.add(entry);
    return taken ? [keyTaken(entry, taken)] : NOTHING_WRONG;
  }

  /** Takes an item in, or what is wrong with it. */
  function collect(item: ListItem): void {
    read += 1;
    if (read > room.entries) throw unusable(`has more than ${room.entries} entries; split it`);
    const wrong = take(item);
    if (wrong.length > 0 && options.invalidEntries === 'fail') table.add(invalidEntry(item, wrong));
    // One by one: a spread of as many as an item can have fields would overflow the stack.
    else for (const problem of wrong) problems.push(problem);
    if (table.hostCount > room.hosts) throw unusable(`has more than ${room.hosts} hosts; split it`);
    if (table.bytes > room.bytes) throw unusable(`has entries of more than ${room.bytes} bytes in all; split it`);
  }

  for await (const block of Symbol.asyncIterator in items ? items : [items]) {
    for (const item of block) {
      collect(item);
      if (read % ITEMS_PER_STEP === 0) await step(read);
      if (problems.length >= MAX_LIST_PROBLEMS) break;
    }
    if (problems.length >= MAX_LIST_PROBLEMS) break;
  }
  if (problems.length > 0) {
    throw new InvalidListError(
      'The list has entries that cannot be used; nothing was started.',
      problems.slice(0, MAX_LIST_PROBLEMS),
    );
  }
  if (table.total === 0) throw new InvalidListError('The list has no entries; nothing was started.', []);
  await step(read);
  return table;
}

function keyTaken({ index, key }: Entry, { takenBy }: { takenBy: number }): ListProblem {
  const reason = `is also the key of line ${takenBy}, for another URL; give one of them a key`;
  return { line: index, field: 'key', value: shorten(key), reason };
}

/** The entry of an item that cannot be used: it fails as soon as it is worked. */
function invalidEntry(item: ListItem, problems: readonly ListProblem[]): Entry {
  const { line, value } = readItem(item);
  const code = problems.some(({ field }) => field === 'url') ? 'INVALID_URL' : 'INVALID_ENTRY';
  const told = problems.slice(0, MAX_TOLD).map(({ field, reason }) => (field === '' ? reason : `${field} ${reason}`));
  return { index: line, url: givenUrl(value), key: '', invalid: { code, message: told.join('; ') } };
}

/** The URL as the user gave it, so that the failed list can be mended; empty where that may be a secret or is too long. */
function givenUrl(value: unknown): string {
  const given = typeof value === 'object' && value !== null && 'url' in value ? value.url : value;
  if (typeof given !== 'string' || Buffer.byteLength(given) > MAX_URL_BYTES || given.includes('@')) return '';
  return given;
}
