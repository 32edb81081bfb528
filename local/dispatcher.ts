import { TICKET_VISIBILITY_MS } from '../core/model/limits.ts';
import type { Clock } from '../core/ports/clock.ts';
import type { Delivery, Tickets } from '../core/ports/tickets.ts';
import type { Log } from './log.ts';
import type { WorkerPool } from './worker-pool.ts';

/** How often tickets are looked for that become visible by time alone. */
const POLL_MS = 250;
/** The same while the queue fails, as on a disk that is full. */
const TROUBLE_POLL_MS = 5000;

export interface Dispatcher {
  /** Looks for tickets at once. */
  wake: () => void;
  /** Hands out no more turns once this resolves. */
  stop: () => Promise<void>;
  /** Resolves when all turns have ended and their tickets are settled. */
  idle: () => Promise<void>;
}

/** Hands every ticket that becomes visible to a worker thread with a free turn. */
export function createDispatcher(deps: { tickets: Tickets; pool: WorkerPool; clock: Clock; log: Log }): Dispatcher {
  const { tickets, pool, clock, log } = deps;
  const turns = new Set<Promise<void>>();
  let stopped = false;
  let wakeUp = new AbortController();

  async function takeTurn(delivery: Delivery): Promise<void> {
    try {
      if ((await pool.run(delivery)) === 'acknowledge') await tickets.acknowledge(delivery.receipt);
    } catch (error) {
      // The ticket becomes visible again by itself.
      log.error(`a turn at shard ${delivery.ticket.shard} of batch ${delivery.ticket.batchId} failed`, error);
    }
  }

  async function receive(): Promise<number> {
    const free = pool.free();
    if (free === 0) return 0;
    const deliveries = await tickets.receive(free, TICKET_VISIBILITY_MS);
    for (const delivery of deliveries) {
      const turn = takeTurn(delivery).finally(() => {
        turns.delete(turn);
        wake();
      });
      turns.add(turn);
    }
    return deliveries.length;
  }

  async function loop(): Promise<void> {
    let trouble = '';
    while (!stopped) {
      // Renewed before looking: a wake-up that comes while looking is not lost.
      wakeUp = new AbortController();
      try {
        const received = await receive();
        trouble = '';
        if (received === 0) await clock.sleep(POLL_MS, wakeUp.signal).catch(() => undefined);
      } catch (error) {
        // Told once, however long it lasts.
        if (trouble !== String(error)) log.error('tickets could not be received', error);
        trouble = String(error);
        await clock.sleep(TROUBLE_POLL_MS, wakeUp.signal).catch(() => undefined);
      }
    }
  }

  function wake(): void {
    wakeUp.abort();
  }

  const ended = loop();
  return {
    wake,
    async stop() {
      stopped = true;
      wake();
      await ended;
    },
    async idle() {
      await Promise.all(turns);
    },
  };
}
