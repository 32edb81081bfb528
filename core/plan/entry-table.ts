import type { TextRange } from '../lists/item.ts';
import { sourceOf, type Entry } from '../model/entry.ts';
import { enlarged } from './enlarged.ts';
import { createHashIndex, hashBytes, NONE } from './hash-index.ts';
import { createHostTable } from './host-table.ts';
import { entryOf, lineOf, MAX_PLAIN_LINE_BYTES, writePlainLine } from './manifest-line.ts';
import { plainEntry, plainKeyStart } from './plain-url.ts';
import type { HostCount } from './plan.ts';

const BLOCK_BYTES = 1024 * 1024;
const FIRST_CAPACITY = 1024;
/** What is kept of an entry: where its line is, and the next entry of its host. */
const [BLOCK, FROM, TO, NEXT, FIELDS] = [0, 1, 2, 3, 4];
const NO_BYTES = Buffer.alloc(0);

/**
 * The entries of a batch while it is planned: lines of the manifest in large blocks, with a few numbers for each. An
 * entry costs its line and about 30 bytes, so that a million of them fit into a small function. Entries are numbered from 0
 * in the order of the list.
 */
export interface EntryTable {
  readonly total: number;
  readonly duplicates: number;
  /** Of all lines together. */
  readonly bytes: number;
  readonly hosts: Iterable<HostCount>;
  readonly hostCount: number;
  /**
   * Adds an entry; one with the URL and key of an earlier one is counted as a duplicate only. If its key is that of
   * another URL it is not added, and the line of the other is answered. Invalid ones have no key.
   */
  add(entry: Entry): { takenBy: number } | undefined;
  /** Adds the entry of a plain URL, whose host ends at `hostEnd`, in the same way. */
  addPlain(index: number, url: TextRange, hostEnd: number): { takenBy: number } | undefined;
  /** The first entry of a host, and the next one of the same host; `NONE` where there is none. */
  first(host: string): number;
  next(number: number): number;
  /** Bytes of an entry's line of the manifest. */
  lineBytes(number: number): number;
  /** Copies an entry's line to `at` of `target`, which has room for it. */
  copyLine(number: number, target: Buffer, at: number): void;
}

export function createEntryTable(): EntryTable {
  const keys = createHashIndex();
  const hosts = createHostTable();
  /** Per host. */
  const entriesOf: number[] = [];
  const firstOf: number[] = [];
  const lastOf: number[] = [];
  const blocks: Buffer[] = [];
  let filled = BLOCK_BYTES;
  let duplicates = 0;
  let bytes = 0;
  /** Of each entry side by side, since most looks go to memory that no cache has. */
  let fields = new Int32Array(FIRST_CAPACITY * FIELDS);

  function field(number: number, which: number): number {
    if (number < 0 || number >= keys.count) throw new RangeError(`There is no entry ${number}.`);
    return fields[number * FIELDS + which] ?? 0;
  }

  /** The block of an entry's line. */
  function blockOf(number: number): Buffer {
    return blocks[field(number, BLOCK)] ?? NO_BYTES;
  }

  /** The block that the next line goes into, behind what is `filled` of it. */
  function roomFor(mostBytes: number): Buffer {
    const last = blocks.at(-1);
    if (last && filled + mostBytes <= last.length) return last;
    const block = Buffer.allocUnsafeSlow(Math.max(BLOCK_BYTES, mostBytes));
    blocks.push(block);
    filled = 0;
    return block;
  }

  /** Takes in the entry whose line was written behind what was filled. */
  function insert(hash: number, host: number, lineEnd: number): void {
    const number = keys.add(hash);
    const at = number * FIELDS;
    if (at === fields.length) fields = enlarged(fields, new Int32Array(2 * at));
    fields[at + BLOCK] = blocks.length - 1;
    fields[at + FROM] = filled;
    fields[at + TO] = lineEnd;
    fields[at + NEXT] = NONE;
    bytes += lineEnd - filled;
    filled = lineEnd;
    if (host === entriesOf.length) {
      entriesOf.push(1);
      firstOf.push(number);
    } else {
      entriesOf[host] = (entriesOf[host] ?? 0) + 1;
      fields[(lastOf[host] ?? 0) * FIELDS + NEXT] = number;
    }
    lastOf[host] = number;
  }

  function add(entry: Entry): { takenBy: number } | undefined {
    // Those without a key are like nothing else; by their lines they spread over the index.
    const key = Buffer.from(entry.invalid ? String(entry.index) : entry.key);
    const hash = hashBytes(key, 0, key.length);
    for (let number = keys.first(hash); number !== NONE && !entry.invalid; number = keys.after(number, hash)) {
      const other = entryOf(blockOf(number).toString('utf8', field(number, FROM), field(number, TO)));
      if (other.key !== entry.key) continue;
      if (other.url !== entry.url) return { takenBy: other.index };
      duplicates += 1;
      return undefined;
    }
    const line = lineOf(entry);
    const source = Buffer.from(sourceOf(entry));
    const block = roomFor(3 * line.length);
    insert(hash, hosts.numberOf(source, 0, source.length), filled + block.write(line, filled));
    return undefined;
  }

  function addPlain(index: number, url: TextRange, hostEnd: number): { takenBy: number } | undefined {
    const hash = hashBytes(url.bytes, plainKeyStart(url.from), url.to);
    // One with the same hash has to be looked at.
    if (keys.first(hash) !== NONE) return add(plainEntry(index, url));
    const block = roomFor(MAX_PLAIN_LINE_BYTES);
    insert(hash, hosts.numberOf(url.bytes, url.from, hostEnd), writePlainLine(block, filled, index, url));
    return undefined;
  }

  return {
    get total() {
      return keys.count;
    },
    get duplicates() {
      return duplicates;
    },
    get bytes() {
      return bytes;
    },
    get hostCount() {
      return hosts.count;
    },
    hosts: {
      *[Symbol.iterator]() {
        for (const [host, entries] of entriesOf.entries()) yield { host: hosts.name(host), entries };
      },
    },
    add,
    addPlain,
    first: (host) => firstOf[hosts.find(host)] ?? NONE,
    next: (number) => field(number, NEXT),
    lineBytes: (number) => field(number, TO) - field(number, FROM),
    copyLine(number, target, at) {
      blockOf(number).copy(target, at, field(number, FROM), field(number, TO));
    },
  };
}
