/** Says that a worker may take a turn at a shard, or help it. It holds no state: lost, late or doubled, it does no harm. */
export interface Ticket {
  batchId: string;
  shard: number;
  /** Name of the helper that the shard asks for. */
  helper?: string | undefined;
}

/** A ticket as it was received. */
export interface Delivery {
  ticket: Ticket;
  /** The same at every delivery of one ticket. */
  messageId: string;
  /** The handle of this delivery; a later delivery of the same ticket makes it stale. */
  receipt: string;
  /** How often this ticket was delivered, this time included. */
  receiveCount: number;
}

/** A queue of tickets, at least once, in no order: SQS, or a table. */
export interface Tickets {
  /** Adds tickets, visible at once. Throws if any of them may not have been taken. */
  send(tickets: readonly Ticket[]): Promise<void>;
  /** Takes up to `limit` visible tickets and hides each for `visibilityMs`. */
  receive(limit: number, visibilityMs: number): Promise<Delivery[]>;
  /** Makes a received ticket visible again `delayMs` (at most 15 min) from now, be it sooner or later than before. */
  changeVisibility(receipt: string, delayMs: number): Promise<void>;
  /** Removes a received ticket. A stale receipt removes nothing and is no error. */
  acknowledge(receipt: string): Promise<void>;
  /** Whether tickets are waiting to be received now; approximate. */
  hasVisible(): Promise<boolean>;
}
