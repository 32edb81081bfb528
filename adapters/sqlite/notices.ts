import { closing, openDatabase, type Closeable } from './database.ts';

/** Something that somebody has to be told. Times in milliseconds since the epoch. */
export interface Notice {
  id: string;
  body: string;
  createdAt: number;
  /** Deliveries that failed. */
  failures: number;
  /** When the next delivery is due. */
  dueAt: number;
}

/** Notices that are to be delivered: once added they survive the process, until they are removed. */
export interface Notices {
  /** Adds a notice that is due at once; leaves it as it is if it is there. */
  add(id: string, body: string, now: number): void;
  /** The one that is due first, be it now or later. */
  first(): Notice | undefined;
  /** Puts a notice off after a delivery that failed. */
  putOff(id: string, dueAt: number): void;
  remove(id: string): void;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS notices (
    id TEXT PRIMARY KEY,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    due_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS due ON notices (due_at);
`;

/** Notices in an SQLite file. Each thread makes its own; any number of them share a file. */
export function createSqliteNotices(path: string): Notices & Closeable {
  const database = openDatabase(path, SCHEMA);
  const insert = database.prepare(
    'INSERT INTO notices (id, body, created_at, failures, due_at) VALUES (?, ?, ?, 0, ?) ON CONFLICT DO NOTHING',
  );
  const selectFirst = database.prepare(`
    SELECT id, body, created_at AS createdAt, failures, due_at AS dueAt FROM notices ORDER BY due_at, id LIMIT 1
  `);
  const postpone = database.prepare('UPDATE notices SET failures = failures + 1, due_at = ? WHERE id = ?');
  const drop = database.prepare('DELETE FROM notices WHERE id = ?');
  return {
    add: (id, body, now) => void insert.run(id, body, now, now),
    first: () => selectFirst.get() as Notice | undefined,
    putOff: (id, dueAt) => void postpone.run(dueAt, id),
    remove: (id) => void drop.run(id),
    ...closing(database),
  };
}
