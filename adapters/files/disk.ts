import {
  closeSync,
  constants,
  fdatasync,
  fstatSync,
  fsync,
  openSync,
  statfsSync,
  write,
  writeSync,
  type BigIntStats,
} from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { unless } from './errors.ts';

/**
 * Calls that change names, or pages in memory, take the system microseconds, and Node's thread pool twenty times as much to
 * carry out: for small files they are made at once, here and in the other files of this folder. What waits for the disk by
 * its nature, a sync or a large body, goes through the pool.
 */
const SMALL_BYTES = 256 * 1024;

/** Waits until the bytes of an open file would survive a power cut. */
export const syncBytes = promisify(fdatasync);
const syncAll = promisify(fsync);
const writeInPool = promisify(write);

/** `statfs`'s types of tmpfs and ramfs. */
const IN_MEMORY = [0x01021994, 0x858458f6];

/** Whether what is in this folder is nowhere but in memory, so that there is nothing to sync it to. */
export function isInMemory(folder: string): boolean {
  return IN_MEMORY.includes(statfsSync(folder).type);
}

/**
 * Writes a new file and, if it is `durable`, syncs its bytes. Errors: the system's, and the signal's reason.
 *
 * @returns what identifies the file: a rename changes none of it
 */
export async function writeNew(
  path: string,
  body: Buffer,
  durable: boolean,
  signal?: AbortSignal,
): Promise<BigIntStats> {
  const file = openSync(path, 'wx');
  try {
    await writeAll(file, body, 0);
    signal?.throwIfAborted();
    if (durable) await syncBytes(file);
    return fstatSync(file, { bigint: true });
  } finally {
    closeSync(file);
  }
}

/** Writes all of `body` at `position` of an open file; the system may take it in pieces. */
export async function writeAll(file: number, body: Buffer, position: number): Promise<void> {
  for (let done = 0; done < body.length;) {
    const left = body.length - done;
    if (left <= SMALL_BYTES) done += writeSync(file, body, done, left, position + done);
    else done += (await writeInPool(file, body, done, left, position + done)).bytesWritten;
  }
}

/** What positions, lengths and memory are to be multiples of; many disks take smaller ones. */
const DIRECT_BYTES = 4096;

/**
 * Writes what it can of a large body to the disk without the system's cache, whose pages cost a copy, and memory that nobody asked
 * for: with a gigabyte to come from elsewhere that is more than the rest of the download. It is not durable before a sync, which
 * then has little left to do.
 *
 * @returns how much of its beginning is written: none of it where the system, the file system or the memory of the body does not
 *   allow it. What else may be the matter the ordinary way meets too.
 */
export async function writeDirect(path: string, body: Buffer, position: number): Promise<number> {
  const length = body.length - (body.length % DIRECT_BYTES);
  if (!('O_DIRECT' in constants) || length === 0 || position % DIRECT_BYTES > 0) return 0;
  let done = 0;
  try {
    const file = openSync(path, constants.O_WRONLY | constants.O_DIRECT);
    try {
      while (done < length) done += (await writeInPool(file, body, done, length - done, position + done)).bytesWritten;
    } finally {
      closeSync(file);
    }
  } catch {
    // as told
  }
  return done;
}

/** Up to `length` bytes from `position`; fewer where the file ends before. */
export async function readUpTo(file: FileHandle, length: number, position: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(buffer, done, length - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return buffer.subarray(0, done);
}

/** A folder that is gone again has nothing to keep; some systems and disks cannot sync folders at all. */
const NOT_SYNCED = ['ENOENT', 'EACCES', 'EINVAL', 'EISDIR', 'ENOTSUP', 'EPERM'];

/**
 * Makes the names in a folder survive a power cut. Calls for one folder share a sync, as long as it has not begun when
 * they come.
 */
export function createFolderSync(): (folder: string) => Promise<void> {
  const newest = new Map<string, { begun: boolean; done: Promise<void> }>();

  return function syncFolder(folder) {
    const before = newest.get(folder);
    if (before?.begun === false) return before.done;
    const turn = { begun: false, done: Promise.resolve() };
    turn.done = (async () => {
      await before?.done.catch(() => undefined);
      turn.begun = true;
      try {
        await syncNow(folder).catch(unless(NOT_SYNCED, undefined));
      } finally {
        if (newest.get(folder) === turn) newest.delete(folder);
      }
    })();
    newest.set(folder, turn);
    return turn.done;
  };
}

async function syncNow(folder: string): Promise<void> {
  const handle = openSync(folder, 'r');
  try {
    await syncAll(handle);
  } finally {
    closeSync(handle);
  }
}
