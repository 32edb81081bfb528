import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { resultCodeOf, SQLITE_BUSY } from './database.ts';

/** The folder belongs to another process, or to another part of this one. */
export class FolderInUseError extends Error {
  constructor(folder: string, options?: ErrorOptions) {
    super(`${folder} is in use by another process`, options);
    this.name = 'FolderInUseError';
  }
}

/** A lock whose handle was garbage-collected would be free. */
const held = new Set<DatabaseSync>();

/**
 * Makes this process the one owner of a data folder until the lock is disposed of or the process ends, however it
 * ends: the lock is the system's own on an open file, an exclusive transaction of SQLite that is never committed.
 * Nothing else in the process may open that file, since closing it would free the lock. Errors: `FolderInUseError`.
 */
export function lockFolder(folder: string): Disposable {
  const database = new DatabaseSync(join(folder, 'lock.sqlite'), { timeout: 0 });
  try {
    // Nothing is ever in it that the disk would have to be waited for.
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = OFF; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    throw resultCodeOf(error) === SQLITE_BUSY ? new FolderInUseError(folder, { cause: error }) : error;
  }
  held.add(database);
  return {
    [Symbol.dispose]: () => {
      if (held.delete(database)) database.close();
    },
  };
}
