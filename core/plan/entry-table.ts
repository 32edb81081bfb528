import { sourceOf, type Entry } from '../model/entry.ts';
import { entryOf, lineOf } from './manifest-line.ts';
import type { HostCount } from './plan.ts';

/** No entry. Entries are numbered from 0 in the order of the list. */
const NONE = -1;
const BLOCK_BYTES = 1024 * 1024;
const FIRST_CAPACITY = 1024;

/**
 * The entries of a batch while it is planned: lines of the manifest in large blocks, with a few numbers for each. An
 * entry costs its line and about 30 bytes, so that a million of them fit into a small function.
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
  /** The manifest's lines of a host's entries, in the order of the list; the iteration can be left and gone on with. */
  lines(host: string): Iterator<Buffer>;
}

export function createEntryTable(): EntryTable {
  /** Hosts are numbered from 0, too; what is kept of each is kept by number. */
  const hosts = new Map<string, number>();
  const entriesOf: number[] = [];
  const firstOf: number[] = [];
  const lastOf: number[] = [];
  const blocks: Buffer[] = [];
  let filled = BLOCK_BYTES;
  let total = 0;
  let duplicates = 0;
  let bytes = 0;
  /** Per entry: where its line is, and the next entry of its host. */
  let blockOf = new Uint32Array(FIRST_CAPACITY);
  let offsetOf = new Uint32Array(FIRST_CAPACITY);
  let nextOf = new Int32Array(FIRST_CAPACITY);
  /** Open addressing over the hash of the key. */
  let slots = new Int32Array(4 * FIRST_CAPACITY).fill(NONE);
  let hashOf = new Uint32Array(FIRST_CAPACITY);

  function line(number: number): Buffer {
    const block = blocks[blockOf[number] ?? 0];
    if (!block) throw new RangeError(`There is no entry ${number}.`);
    const from = offsetOf[number] ?? 0;
    // Lines of a block follow each other; of the last one the end is not known.
    const isLast = number + 1 === total || blockOf[number + 1] !== blockOf[number];
    return block.subarray(from, isLast ? block.indexOf(0x0a, from) + 1 : offsetOf[number + 1]);
  }

  function store(text: string): [block: number, offset: number] {
    const mostBytes = 3 * text.length;
    let block = blocks.at(-1);
    if (!block || filled + mostBytes > block.length) {
      block = Buffer.allocUnsafe(Math.max(BLOCK_BYTES, mostBytes));
      blocks.push(block);
      filled = 0;
    }
    const offset = filled;
    const written = block.write(text, offset);
    filled += written;
    bytes += written;
    return [blocks.length - 1, offset];
  }

  function grow(): void {
    const capacity = 2 * nextOf.length;
    blockOf = enlarged(blockOf, new Uint32Array(capacity));
    offsetOf = enlarged(offsetOf, new Uint32Array(capacity));
    nextOf = enlarged(nextOf, new Int32Array(capacity));
    hashOf = enlarged(hashOf, new Uint32Array(capacity));
    slots = new Int32Array(4 * capacity).fill(NONE);
    for (let number = 0; number < total; number++) slots[freeSlot(hashOf[number] ?? 0)] = number;
  }

  function freeSlot(hash: number): number {
    let slot = hash & (slots.length - 1);
    while (slots[slot] !== NONE) slot = (slot + 1) & (slots.length - 1);
    return slot;
  }

  function add(entry: Entry): { takenBy: number } | undefined {
    // Those without a key are like nothing else; by their lines they spread over the slots.
    const hash = hashText(entry.invalid ? String(entry.index) : entry.key);
    let slot = hash & (slots.length - 1);
    for (; slots[slot] !== NONE; slot = (slot + 1) & (slots.length - 1)) {
      const number = slots[slot] ?? NONE;
      if (hashOf[number] !== hash || entry.invalid) continue;
      const other = entryOf(line(number).toString());
      if (other.key !== entry.key) continue;
      if (other.url !== entry.url) return { takenBy: other.index };
      duplicates += 1;
      return undefined;
    }

    if (total === nextOf.length) {
      grow();
      slot = freeSlot(hash);
    }
    const number = total++;
    slots[slot] = number;
    hashOf[number] = hash;
    [blockOf[number], offsetOf[number]] = store(lineOf(entry));
    nextOf[number] = NONE;
    append(sourceOf(entry), number);
    return undefined;
  }

  /** Puts an entry behind the others of its host. */
  function append(name: string, number: number): void {
    const host = hosts.get(name);
    if (host === undefined) {
      // A copy, since a slice would keep the whole URL in memory.
      hosts.set(Buffer.from(name).toString(), hosts.size);
      entriesOf.push(1);
      firstOf.push(number);
      lastOf.push(number);
    } else {
      nextOf[lastOf[host] ?? NONE] = number;
      lastOf[host] = number;
      entriesOf[host] = (entriesOf[host] ?? 0) + 1;
    }
  }

  function* lines(name: string): Generator<Buffer, undefined> {
    const first = firstOf[hosts.get(name) ?? NONE] ?? NONE;
    for (let number = first; number !== NONE; number = nextOf[number] ?? NONE) yield line(number);
  }

  return {
    get total() {
      return total;
    },
    get duplicates() {
      return duplicates;
    },
    get bytes() {
      return bytes;
    },
    get hostCount() {
      return hosts.size;
    },
    hosts: {
      *[Symbol.iterator]() {
        for (const [host, number] of hosts) yield { host, entries: entriesOf[number] ?? 0 };
      },
    },
    add,
    lines,
  };
}

/** FNV-1a. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

function enlarged<A extends Uint32Array | Int32Array>(from: A, to: A): A {
  to.set(from);
  return to;
}
