import { randomUUID } from 'node:crypto';
import type { Clock } from '../../core/ports/clock.ts';
import type { Delivery, Tickets } from '../../core/ports/tickets.ts';
import { closing, openDatabase, type Closeable } from './database.ts';

/** A ticket is visible from `visible_at`, in milliseconds since the epoch. */
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS tickets (
    message_id TEXT PRIMARY KEY,
    batch_id TEXT NOT NULL,
    shard INTEGER NOT NULL,
    helper TEXT,
    visible_at INTEGER NOT NULL,
    receive_count INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS tickets_by_time ON tickets (visible_at);
`;

/**
 * A queue of tickets in an SQLite file. Each thread makes its own; any number of them share a file. Who receives, gets
 * the tickets first that have been visible longest.
 */
export function createSqliteTickets(path: string, clock: Clock): Tickets & Closeable {
  const database = openDatabase(path, SCHEMA);
  // Each change is one statement, and so atomic between threads.
  const insert = database.prepare(`
    INSERT INTO tickets (message_id, batch_id, shard, helper, visible_at, receive_count)
    SELECT value ->> 'messageId', value ->> 'batchId', value ->> 'shard', value ->> 'helper', :now, 0 FROM json_each(:tickets)
  `);
  const take = database.prepare(`
    UPDATE tickets SET visible_at = :until, receive_count = receive_count + 1
    WHERE message_id IN (SELECT message_id FROM tickets WHERE visible_at <= :now ORDER BY visible_at LIMIT :limit)
    RETURNING message_id AS messageId, batch_id AS batchId, shard, helper, receive_count AS receiveCount
  `);
  const hide = database.prepare('UPDATE tickets SET visible_at = ? WHERE message_id = ? AND receive_count = ?');
  const remove = database.prepare('DELETE FROM tickets WHERE message_id = ? AND receive_count = ?');
  const anyVisible = database.prepare('SELECT EXISTS (SELECT 1 FROM tickets WHERE visible_at <= ?) AS found');

  return {
    send: (tickets) =>
      Promise.try(() => {
        const rows = tickets.map((ticket) => ({ messageId: randomUUID(), ...ticket }));
        insert.run({ now: clock.now(), tickets: JSON.stringify(rows) });
      }),
    receive: (limit, visibilityMs) =>
      Promise.try(() => {
        const now = clock.now();
        // Pollers mostly find nothing; only a write would make them wait for each other.
        if (!anyVisible.get(now)?.found) return [];
        return (take.all({ now, until: now + visibilityMs, limit }) as unknown as Taken[]).map(toDelivery);
      }),
    changeVisibility: (receipt, delayMs) =>
      Promise.try(() => void hide.run(clock.now() + delayMs, ...parseReceipt(receipt))),
    acknowledge: (receipt) => Promise.try(() => void remove.run(...parseReceipt(receipt))),
    hasVisible: () => Promise.try(() => anyVisible.get(clock.now())?.found === 1),

    ...closing(database),
  };
}

interface Taken {
  messageId: string;
  batchId: string;
  shard: number;
  helper: string | null;
  receiveCount: number;
}

/** A receipt names the delivery by its count: the next delivery's count makes it stale. */
function toDelivery({ messageId, batchId, shard, helper, receiveCount }: Taken): Delivery {
  const ticket = { batchId, shard, ...(helper !== null && { helper }) };
  return { ticket, messageId, receipt: `${messageId}/${receiveCount}`, receiveCount };
}

function parseReceipt(receipt: string): [messageId: string, receiveCount: number] {
  const [messageId = '', receiveCount] = receipt.split('/');
  return [messageId, Number(receiveCount)];
}
