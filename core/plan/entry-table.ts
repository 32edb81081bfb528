import { hostOf, type Entry } from '../model/entry.ts';
import type { HostCount } from './plan.ts';

/** No entry. Entries are numbered from 0 in the order of the list. */
const NONE = -1;
const BLOCK_BYTES = 1024 * 1024;
const FIRST_CAPACITY = 1024;

interface HostList {
  entries: number;
  first: number;
  last: number;
}

/**
 * The entries of a batch while it is planned: lines of the manifest in large blocks, with a few numbers for each. An
 * entry costs its line and about 30 bytes, so that a million of them fit into a small function.
 */
export interface EntryTable {
  readonly total: number;
  readonly duplicates: number;
  readonly hosts: Iterable<HostCount>;
  /**
   * Adds an entry; one with the URL and key of an earlier one is counted as a duplicate only. If its key is that of
   * another URL it is not added, and the line of the other is answered.
   */
  add(entry: Entry): { takenBy: number } | undefined;
  /** The manifest's lines of a host's entries, in the order of the list; the iteration can be left and gone on with. */
  lines(host: string): Iterator<Buffer>;
}

export function createEntryTable(): EntryTable {
  const hosts = new Map<string, HostList>();
  const blocks: Buffer[] = [];
  let filled = BLOCK_BYTES;
  let total = 0;
  let duplicates = 0;
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
    return block.subarray(from, block.indexOf(0x0a, from) + 1);
  }

  function store(text: Buffer): [block: number, offset: number] {
    if (filled + text.length > (blocks.at(-1)?.length ?? 0)) {
      blocks.push(Buffer.allocUnsafe(Math.max(BLOCK_BYTES, text.length)));
      filled = 0;
    }
    const offset = filled;
    text.copy(blocks[blocks.length - 1] ?? text, offset);
    filled += text.length;
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
    const hash = hashText(entry.key);
    let slot = hash & (slots.length - 1);
    for (; slots[slot] !== NONE; slot = (slot + 1) & (slots.length - 1)) {
      const number = slots[slot] ?? NONE;
      if (hashOf[number] !== hash) continue;
      const other = JSON.parse(line(number).toString()) as Entry;
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
    [blockOf[number], offsetOf[number]] = store(encodeEntry(entry));
    nextOf[number] = NONE;

    const name = hostOf(entry.url);
    const host = hosts.get(name);
    if (host) {
      nextOf[host.last] = number;
      host.last = number;
      host.entries += 1;
    } else {
      hosts.set(name, { entries: 1, first: number, last: number });
    }
    return undefined;
  }

  function* lines(name: string): Generator<Buffer, undefined> {
    for (let number = hosts.get(name)?.first ?? NONE; number !== NONE; number = nextOf[number] ?? NONE) {
      yield line(number);
    }
  }

  return {
    get total() {
      return total;
    },
    get duplicates() {
      return duplicates;
    },
    hosts: {
      *[Symbol.iterator]() {
        for (const [host, { entries }] of hosts) yield { host, entries };
      },
    },
    add,
    lines,
  };
}

/** An entry's line of the manifest. */
function encodeEntry(entry: Entry): Buffer {
  return Buffer.from(`${JSON.stringify(entry)}\n`);
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
