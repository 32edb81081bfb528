import { describe, expect, test } from 'vitest';
import type { Delivery, Ticket, Tickets } from '../../core/ports/tickets.ts';

export interface TicketsUnderTest {
  tickets: Tickets;
  /** Lets `ms` pass for the queue: by moving its clock, or by waiting. */
  advance: (ms: number) => Promise<void>;
}

// Whole seconds, SQS knows no others. SHORT passes within a test, LONG never does.
const SHORT_MS = 2000;
const LONG_MS = 300_000;

/** Most tickets that one call of SQS takes or gives. */
const CALL_LIMIT = 10;

/** Calls of a queue that may answer with fewer tickets than it has, as SQS may. */
const MAX_CALLS = 50;

/** What every queue must do. `create` answers an empty one and sees to its end after the running test. */
export function describeTickets(name: string, create: () => Promise<TicketsUnderTest>): void {
  describe(`${name} as a queue of tickets`, () => {
    test('what was sent is received, each ticket once, with an id of its own', async () => {
      const { tickets } = await create();
      const sent = Array.from({ length: 25 }, (_, shard) => ({ batchId: 'b', shard }));
      await tickets.send(sent);
      const received = await receive(tickets, 25, LONG_MS);
      expect(byShard(received.map(({ ticket }) => ticket))).toEqual(sent);
      expect(new Set(received.map(({ messageId }) => messageId)).size).toBe(25);
      expect(received.every(({ receiveCount }) => receiveCount === 1)).toBe(true);
      expect(await tickets.receive(CALL_LIMIT, LONG_MS)).toEqual([]);
    });

    test("a helper's ticket says which one it is of", async () => {
      const { tickets } = await create();
      await tickets.send([{ ...ticket(3), helper: 'F12.1' }]);
      expect((await receiveOne(tickets, LONG_MS)).ticket).toEqual({ ...ticket(3), helper: 'F12.1' });
    });

    test('sending no tickets sends none', async () => {
      const { tickets } = await create();
      await tickets.send([]);
      expect(await tickets.receive(1, LONG_MS)).toEqual([]);
    });

    test('two tickets of one shard are two tickets', async () => {
      const { tickets } = await create();
      await tickets.send([ticket(1), ticket(1)]);
      await tickets.send([ticket(1)]);
      const received = await receive(tickets, 3, LONG_MS);
      expect(new Set(received.map(({ messageId }) => messageId)).size).toBe(3);
    });

    test('no more tickets are received than asked for', async () => {
      const { tickets } = await create();
      await tickets.send([0, 1, 2, 3, 4].map(ticket));
      expect((await tickets.receive(2, LONG_MS)).length).toBeLessThanOrEqual(2);
      expect((await tickets.receive(1, LONG_MS)).length).toBeLessThanOrEqual(1);
    });

    test('a ticket that was not acknowledged comes again after its time, the same one, counted and with a new receipt', async () => {
      const { tickets, advance } = await create();
      await tickets.send([ticket(7)]);
      const first = await receiveOne(tickets, SHORT_MS);
      await advance(SHORT_MS);
      const second = await receiveOne(tickets, LONG_MS);
      expect(second).toMatchObject({ ticket: ticket(7), messageId: first.messageId, receiveCount: 2 });
      expect(second.receipt).not.toBe(first.receipt);
      expect(await tickets.receive(1, LONG_MS)).toEqual([]);
    });

    test('an acknowledged ticket never comes again', async () => {
      const { tickets, advance } = await create();
      await tickets.send([ticket(1), ticket(2)]);
      for (const delivery of await receive(tickets, 2, SHORT_MS)) {
        if (delivery.ticket.shard === 1) await tickets.acknowledge(delivery.receipt);
      }
      await advance(SHORT_MS);
      expect((await receiveOne(tickets, LONG_MS)).ticket).toEqual(ticket(2));
      expect(await tickets.receive(CALL_LIMIT, LONG_MS)).toEqual([]);
    });

    test('acknowledging twice is no error', async () => {
      const { tickets } = await create();
      await tickets.send([ticket(1)]);
      const { receipt } = await receiveOne(tickets, LONG_MS);
      await tickets.acknowledge(receipt);
      await tickets.acknowledge(receipt);
    });

    test('a stale receipt removes nothing and is no error', async () => {
      const { tickets, advance } = await create();
      await tickets.send([ticket(1)]);
      const stale = await receiveOne(tickets, SHORT_MS);
      await advance(SHORT_MS);
      const current = await receiveOne(tickets, SHORT_MS);
      await tickets.acknowledge(stale.receipt);
      await advance(SHORT_MS);
      expect(await receiveOne(tickets, LONG_MS)).toMatchObject({ messageId: current.messageId, receiveCount: 3 });
    });

    test('a ticket can be made visible sooner, and at once', async () => {
      const { tickets, advance } = await create();
      await tickets.send([ticket(1)]);
      const first = await receiveOne(tickets, LONG_MS);
      await tickets.changeVisibility(first.receipt, 0);
      const second = await receiveOne(tickets, LONG_MS);
      expect(second.receiveCount).toBe(2);
      await tickets.changeVisibility(second.receipt, SHORT_MS);
      await advance(SHORT_MS);
      expect((await receiveOne(tickets, LONG_MS)).receiveCount).toBe(3);
    });

    test('a ticket can be kept away longer, again and again', async () => {
      const { tickets, advance } = await create();
      await tickets.send([ticket(1)]);
      const { receipt } = await receiveOne(tickets, SHORT_MS);
      await tickets.changeVisibility(receipt, LONG_MS);
      await advance(SHORT_MS);
      expect(await tickets.receive(1, LONG_MS)).toEqual([]);
      await tickets.changeVisibility(receipt, 2 * LONG_MS);
      expect(await tickets.receive(1, LONG_MS)).toEqual([]);
      await tickets.changeVisibility(receipt, SHORT_MS);
      await advance(SHORT_MS);
      expect((await receiveOne(tickets, LONG_MS)).receiveCount).toBe(2);
    });

    test('the queue says whether tickets wait to be received now', async () => {
      const { tickets, advance } = await create();
      expect(await tickets.hasVisible()).toBe(false);
      await tickets.send([ticket(1)]);
      expect(await tickets.hasVisible()).toBe(true);
      await receiveOne(tickets, SHORT_MS);
      expect(await tickets.hasVisible()).toBe(false);
      await advance(SHORT_MS);
      expect(await tickets.hasVisible()).toBe(true);
      await tickets.acknowledge((await receiveOne(tickets, SHORT_MS)).receipt);
      await advance(SHORT_MS);
      expect(await tickets.hasVisible()).toBe(false);
    });

    test('receivers side by side never get the same ticket', async () => {
      const { tickets } = await create();
      await tickets.send(Array.from({ length: 40 }, (_, shard) => ticket(shard)));
      const answers = await Promise.all(Array.from({ length: 4 }, () => receive(tickets, 10, LONG_MS)));
      const shards = answers.flat().map((delivery) => delivery.ticket.shard);
      expect(new Set(shards).size).toBe(shards.length);
    });
  });
}

function ticket(shard: number): Ticket {
  return { batchId: '01943f2e-0000-7000-8000-000000000000', shard };
}

function byShard(all: Ticket[]): Ticket[] {
  return all.toSorted((a, b) => a.shard - b.shard);
}

async function receive(tickets: Tickets, count: number, visibilityMs: number): Promise<Delivery[]> {
  const received: Delivery[] = [];
  for (let calls = 0; received.length < count && calls < MAX_CALLS; calls++) {
    received.push(...(await tickets.receive(Math.min(CALL_LIMIT, count - received.length), visibilityMs)));
  }
  return received;
}

async function receiveOne(tickets: Tickets, visibilityMs: number): Promise<Delivery> {
  const [delivery] = await receive(tickets, 1, visibilityMs);
  if (delivery === undefined) throw new Error('no ticket is visible');
  return delivery;
}
