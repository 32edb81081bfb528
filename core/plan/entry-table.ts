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
/** What is kept of an entry: where its line is, and its host. */
const [BLOCK, FROM, TO, HOST, FIELDS] = [0, 1, 2, 3, 4];
const NO_BYTES = Buffer.alloc(0);

/**
 * The entries of a batch while it is planned: lines of the manifest in large blocks, with a few numbers for each. An
 * entry costs its line and about 40 bytes, so that a million of them fit into a small function. Entries are numbered from 0
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
  /** The numbers of a host's entries. */
  entriesOf(host: string): Int32Array;
  /** The lines of some entries, one behind the other; good until the next call. */
  lines(numbers: Int32Array): Buffer;
}

export function createEntryTable(): EntryTable {
  const keys = createHashIndex();
  const hosts = createHostTable();
  /** Of each host, how many entries it has. */
  const counts: number[] = [];
  /** The entries of a host, one host behind the other, and where each one's end; made when all are there. */
  let byHost: { numbers: Int32Array; ends: Int32Array } | undefined;
  const blocks: Buffer[] = [];
  let filled = BLOCK_BYTES;
  let duplicates = 0;
  let bytes = 0;
  /** Memory of the lines that were asked for last. */
  let gathered = NO_BYTES;
  /** Of each entry side by side, since most looks go to memory that no cache has. */
  let fields = new Int32Array(FIRST_CAPACITY * FIELDS);

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
    fields[at + HOST] = host;
    bytes += lineEnd - filled;
    filled = lineEnd;
    counts[host] = (counts[host] ?? 0) + 1;
    byHost = undefined;
  }

  function sortByHost() {
    const numbers = new Int32Array(keys.count);
    const ends = new Int32Array(counts.length);
    for (let host = 1; host < ends.length; host++) ends[host] = (ends[host - 1] ?? 0) + (counts[host - 1] ?? 0);
    // As its entries get their places, each host's beginning becomes its end.
    for (let number = 0; number < numbers.length; number++) {
      const host = fields[number * FIELDS + HOST] ?? 0;
      const place = ends[host] ?? 0;
      numbers[place] = number;
      ends[host] = place + 1;
    }
    return { numbers, ends };
  }

  function lines(numbers: Int32Array): Buffer {
    let length = 0;
    for (const number of numbers) {
      const at = number * FIELDS;
      length += (fields[at + TO] ?? 0) - (fields[at + FROM] ?? 0);
    }
    if (length > gathered.length) gathered = Buffer.allocUnsafeSlow(length);
    let filled = 0;
    for (const number of numbers) {
      const at = number * FIELDS;
      filled += blocks[fields[at + BLOCK] ?? 0]?.copy(gathered, filled, fields[at + FROM], fields[at + TO]) ?? 0;
    }
    return gathered.subarray(0, filled);
  }

  function add(entry: Entry): { takenBy: number } | undefined {
    // Those without a key are like nothing else; by their lines they spread over the index.
    const key = Buffer.from(entry.invalid ? String(entry.index) : entry.key);
    const hash = hashBytes(key, 0, key.length);
    for (let number = keys.first(hash); number !== NONE && !entry.invalid; number = keys.after(number, hash)) {
      const other = entryOf(String(lines(Int32Array.of(number))));
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
    const keyStart = plainKeyStart(url);
    if (keyStart === 0) return add(plainEntry(index, url, hostEnd));
    const hash = hashBytes(url.bytes, keyStart, url.to);
    // One with the same hash has to be looked at.
    if (keys.first(hash) !== NONE) return add(plainEntry(index, url, hostEnd));
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
        for (const [host, entries] of counts.entries()) yield { host: hosts.name(host), entries };
      },
    },
    add,
    addPlain,
    entriesOf(name) {
      const host = hosts.find(name);
      byHost ??= sortByHost();
      const end = byHost.ends[host] ?? 0;
      return byHost.numbers.subarray(end - (counts[host] ?? 0), end);
    },
    lines,
  };
}
