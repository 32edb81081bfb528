import { open, type FileHandle } from 'node:fs/promises';
import { unless } from './errors.ts';

/** Writes all of `body` at `position`; the system may take it in pieces. */
export async function writeAll(file: FileHandle, body: Buffer, position: number): Promise<void> {
  for (let done = 0; done < body.length;) {
    done += (await file.write(body, done, body.length - done, position + done)).bytesWritten;
  }
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
  await using handle = await open(folder, 'r');
  await handle.sync();
}
