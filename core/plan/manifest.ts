import type { Entry } from '../model/entry.ts';
import { StateLostError } from '../model/errors.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import type { EntryTable } from './entry-table.ts';
import { NONE } from './hash-index.ts';
import { entryOf } from './manifest-line.ts';
import type { ShardPlan } from './plan.ts';

const NEWLINE = 0x0a;
/** Bytes that are written at once, whole lines. */
const BLOCK_BYTES = 1024 * 1024;

/**
 * Writes the entries in the order in which they will be worked, some lines at a time, which `write` may have only until it
 * is done; answers each shard's bytes of the manifest.
 */
export async function writeManifest(
  write: (lines: Buffer) => Promise<void>,
  shards: readonly ShardPlan[],
  table: Pick<EntryTable, 'first' | 'next' | 'lineBytes' | 'copyLine'>,
): Promise<{ from: number; to: number }[]> {
  /** A host's shards follow each other: one host at a time is in the middle of its lines. */
  let current: { host: string; next: number } | undefined;
  const ranges: { from: number; to: number }[] = [];
  let block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  let filled = 0;
  let written = 0;
  async function flush(): Promise<void> {
    await write(block.subarray(0, filled));
    written += filled;
    filled = 0;
  }
  for (const { segments } of shards) {
    const from = written + filled;
    for (const { host, entries } of segments) {
      if (current?.host !== host) current = { host, next: table.first(host) };
      for (let n = 0; n < entries; n++) {
        const number = current.next;
        if (number === NONE) throw new RangeError(`The plan has more entries of ${host} than the list.`);
        const bytes = table.lineBytes(number);
        if (filled + bytes > block.length) await flush();
        if (bytes > block.length) block = Buffer.allocUnsafeSlow(bytes);
        table.copyLine(number, block, filled);
        filled += bytes;
        current.next = table.next(number);
      }
    }
    ranges.push({ from, to: written + filled });
  }
  await flush();
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
