import type { Entry } from '../model/entry.ts';
import { StateLostError } from '../model/errors.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import type { EntryTable } from './entry-table.ts';
import { entryOf } from './manifest-line.ts';
import type { ShardPlan } from './plan.ts';

const NEWLINE = 0x0a;
/** Lines that are written at once. */
const LINES_AT_ONCE = 1000;

/**
 * Writes the entries in the order in which they will be worked, some lines at a time, which `write` may have only until it
 * is done; answers each shard's bytes of the manifest.
 */
export async function writeManifest(
  write: (lines: Buffer) => Promise<void>,
  shards: readonly ShardPlan[],
  table: Pick<EntryTable, 'entriesOf' | 'lines'>,
): Promise<{ from: number; to: number }[]> {
  /** A host's shards follow each other: one host at a time is in the middle of its entries. */
  let current: { host: string; entries: Int32Array } | undefined;
  const ranges: { from: number; to: number }[] = [];
  const numbers = new Int32Array(LINES_AT_ONCE);
  let count = 0;
  let written = 0;
  async function flush(): Promise<void> {
    const lines = table.lines(numbers.subarray(0, count));
    count = 0;
    written += lines.length;
    await write(lines);
  }
  for (const { segments } of shards) {
    const from = written;
    for (const { host, entries } of segments) {
      if (current?.host !== host) current = { host, entries: table.entriesOf(host) };
      if (entries > current.entries.length) throw new RangeError(`The plan has more entries of ${host} than the list.`);
      for (const number of current.entries.subarray(0, entries)) {
        if (count === numbers.length) await flush();
        numbers[count++] = number;
      }
      current.entries = current.entries.subarray(entries);
    }
    await flush();
    ranges.push({ from, to: written });
  }
  return ranges;
}

/** An entry with its bytes of the manifest. */
export interface ManifestLine {
  entry: Entry;
  from: number;
  to: number;
}

/** Reads a range of a manifest line by line, a block at a time. */
export interface ManifestReader {
  /** The offset of the next line; the range's end when all are read. */
  readonly offset: number;
  /**
   * The next line, which stays the next one; `undefined` at the end.
   *
   * @throws StateLostError where the manifest is not there, or not whole
   */
  peek(): Promise<ManifestLine | undefined>;
  /** Goes past the line that `peek` answered. */
  skip(): void;
}

/**
 * @param range whole lines: `from` up to, not including, `to`
 * @param blockBytes how much to read at once; a longer line is read whole all the same
 */
export function readManifest(
  store: Pick<ObjectStore, 'get'>,
  key: string,
  range: { from: number; to: number },
  blockBytes: number,
): ManifestReader {
  let offset = range.from;
  /** Bytes read ahead; they begin at `blockFrom`. */
  let block: Buffer = Buffer.alloc(0);
  let blockFrom = range.from;
  let next: ManifestLine | undefined;

  async function peek(): Promise<ManifestLine | undefined> {
    if (next) return next;
    let wanted = blockBytes;
    while (offset < range.to) {
      const end = block.indexOf(NEWLINE, offset - blockFrom);
      if (end >= 0) {
        const text = block.toString('utf8', offset - blockFrom, end);
        next = { entry: entryOf(text), from: offset, to: blockFrom + end + 1 };
        return next;
      }
      const read = await store.get(key, { from: offset, to: Math.min(range.to, offset + wanted) });
      if (!read || (read.length === block.length && blockFrom === offset)) {
        throw new StateLostError(`The manifest ${key} ends at byte ${offset}, before ${range.to}.`);
      }
      block = read;
      blockFrom = offset;
      wanted *= 2;
    }
    return undefined;
  }

  return {
    get offset() {
      return offset;
    },
    peek,
    skip() {
      if (!next) throw new Error('There is no line to go past.');
      offset = next.to;
      next = undefined;
    },
  };
}
