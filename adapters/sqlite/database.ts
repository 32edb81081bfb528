import { DatabaseSync } from 'node:sqlite';

/** How long a call waits for other connections' writes, which are of milliseconds each, before it fails. */
const BUSY_TIMEOUT_MS = 30_000;

/** Between two tries to switch a new file to WAL. */
const RETRY_MS = 5;

/** SQLite's result codes: a lock that another connection holds, and what a disk can do. */
export const SQLITE_BUSY = 5;
export const SQLITE_READONLY = 8;
export const SQLITE_IOERR = 10;
export const SQLITE_CORRUPT = 11;
export const SQLITE_FULL = 13;
export const SQLITE_NOTADB = 26;

/** What holds an open file until it is closed. */
export interface Closeable extends Disposable {
  /** Closing twice is fine. */
  close(): void;
}

/** Opens a database, one connection for each thread, and makes the tables that it lacks. */
export function openDatabase(path: string, schema: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    useWal(database);
    // With NORMAL, a power cut could take back commits that were answered, and so let counts go back.
    database.exec('PRAGMA synchronous = FULL');
    atomically(database, () => database.exec(schema));
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Carries out all of what `act` writes or nothing, and waits for the disk once. */
export function atomically<T>(database: DatabaseSync, act: () => T): T {
  // For writing from the start: one that only read until another connection wrote could not write any more.
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = act();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

export function closing(database: DatabaseSync): Closeable {
  const close = () => database[Symbol.dispose]();
  return { close, [Symbol.dispose]: close };
}

/** SQLite's result code of an error, without its details; `undefined` for other errors. */
export function resultCodeOf(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : undefined;
}

/** In WAL mode, readers and the one writer do not wait for each other. */
function useWal(database: DatabaseSync): void {
  const giveUpAt = performance.now() + BUSY_TIMEOUT_MS;
  for (;;) {
    try {
      database.exec('PRAGMA journal_mode = WAL');
      return;
    } catch (error) {
      // Where several connections switch a new file at once, SQLite answers busy without waiting.
      if (resultCodeOf(error) !== SQLITE_BUSY || performance.now() > giveUpAt) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
    }
  }
}
