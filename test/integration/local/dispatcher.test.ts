import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createSqliteTickets } from '../../../adapters/sqlite/tickets.ts';
import type { Delivery } from '../../../core/ports/tickets.ts';
import { createDispatcher } from '../../../local/dispatcher.ts';
import { createLog } from '../../../local/log.ts';
import { createManualClock } from '../../helpers/manual-clock.ts';
import { tempFolder } from '../../helpers/temp-folder.ts';

type Result = 'acknowledge' | 'keep';

/** A dispatcher over a real queue; the test itself takes the turns. */
async function startDispatcher(places: number) {
  const clock = createManualClock();
  const lines: string[] = [];
  const tickets = createSqliteTickets(join(await tempFolder(), 'tickets.sqlite'), clock);
  const turns: { delivery: Delivery; end: (result: Result) => void; fail: (error: Error) => void }[] = [];
  let ended = 0;
  const arrivals: (() => void)[] = [];
  const pool = {
    free: () => places - (turns.length - ended),
    run: async (delivery: Delivery) => {
      const { promise, resolve, reject } = Promise.withResolvers<Result>();
      turns.push({ delivery, end: resolve, fail: reject });
      for (const arrive of arrivals.splice(0)) arrive();
      return promise.finally(() => (ended += 1));
    },
    stop: () => Promise.resolve(),
  };
  const dispatcher = createDispatcher({
    tickets,
    pool,
    clock,
    log: createLog({ write: (text) => lines.push(text) }, () => clock.now()),
  });
  onTestFinished(async () => {
    await dispatcher.stop();
    tickets.close();
  });
  /** The turn with this number, from 0, once it begins. */
  const turn = async (n: number) => {
    for (;;) {
      const found = turns[n];
      if (found) return found;
      await new Promise<void>((resolve) => arrivals.push(resolve));
    }
  };
  /** Moves the clock on once the dispatcher waits for it. */
  const advance = async (ms: number) => {
    while (clock.pending() === 0) await setImmediate();
    await clock.advance(ms);
  };
  return { clock, advance, lines, tickets, turns, turn, dispatcher };
}

describe('the dispatcher', () => {
  it('hands out a ticket at once when it is told of it, and removes it when its turn says so', async () => {
    const { clock, tickets, turn, dispatcher } = await startDispatcher(1);
    await tickets.send([{ batchId: 'a', shard: 0 }]);
    dispatcher.wake();
    (await turn(0)).end('acknowledge');
    await dispatcher.stop();
    await dispatcher.idle();
    await clock.advance(24 * 60 * 60 * 1000);
    expect(await tickets.hasVisible()).toBe(false);
  });

  it('finds by itself a ticket that becomes visible, and leaves it in the queue when its turn says so', async () => {
    const { advance, tickets, turn, turns, dispatcher } = await startDispatcher(1);
    await tickets.send([{ batchId: 'a', shard: 0 }]);
    dispatcher.wake();
    const first = await turn(0);
    await tickets.changeVisibility(first.delivery.receipt, 10_000);
    first.end('keep');
    await dispatcher.idle();
    await advance(9000);
    expect(turns.length).toBe(1);
    await advance(2000);
    expect((await turn(1)).delivery).toMatchObject({ messageId: first.delivery.messageId, receiveCount: 2 });
    (await turn(1)).end('acknowledge');
  });

  it('takes no more tickets than there is room for, and the next as soon as a turn ends', async () => {
    const { tickets, turn, turns, dispatcher } = await startDispatcher(2);
    await tickets.send([0, 1, 2].map((shard) => ({ batchId: 'a', shard })));
    dispatcher.wake();
    await turn(1);
    expect(turns.length).toBe(2);
    expect(await tickets.hasVisible()).toBe(true);
    turns[0]?.end('acknowledge');
    await turn(2);
    for (const { end } of turns) end('acknowledge');
  });

  it('says that a turn failed, and the ticket comes back by itself', async () => {
    const { advance, lines, tickets, turn, dispatcher } = await startDispatcher(1);
    await tickets.send([{ batchId: 'a', shard: 7 }]);
    dispatcher.wake();
    (await turn(0)).fail(new Error('the thread died'));
    await dispatcher.idle();
    expect(lines.join('')).toMatch(/error a turn at shard 7 of batch a failed: Error: the thread died/);
    await advance(80_000);
    (await turn(1)).end('acknowledge');
  });

  it('says once that the queue fails, and goes on when it no longer does', async () => {
    const { advance, lines, tickets, turn } = await startDispatcher(1);
    const receive = tickets.receive.bind(tickets);
    tickets.receive = () => Promise.reject(new Error('the disk is full'));
    for (let n = 0; n < 10; n++) await advance(5000);
    expect(lines.join('').match(/tickets could not be received/g)).toHaveLength(1);

    tickets.receive = receive;
    await tickets.send([{ batchId: 'a', shard: 0 }]);
    await advance(5000);
    (await turn(0)).end('acknowledge');
  });

  it('hands out nothing once it is stopped', async () => {
    const { tickets, turns, dispatcher } = await startDispatcher(1);
    await dispatcher.stop();
    await tickets.send([{ batchId: 'a', shard: 0 }]);
    dispatcher.wake();
    await setImmediate();
    expect(turns).toEqual([]);
    expect(await tickets.hasVisible()).toBe(true);
  });
});
