import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../core/ports/clock.ts';

export interface ManualClock extends Clock {
  /** Moves time on by `ms` milliseconds, as `advanceTo` does. */
  advance(ms: number): Promise<void>;
  /**
   * Moves time on to `time`. Sleepers that are due until then wake in the order of their due times, each while the
   * clock stands at its own; what they sleep for next is honoured if they ask within one turn of the event loop.
   */
  advanceTo(time: number): Promise<void>;
  /** Sleepers that are waiting. */
  pending(): number;
  /** When the next sleeper is due; `undefined` if nobody sleeps. */
  nextDue(): number | undefined;
}

interface Sleeper {
  due: number;
  wake: () => void;
}

/** A clock whose time moves only when a test says so. A sleep of no time resolves at once. */
export function createManualClock(start = Date.UTC(2030, 0, 1)): ManualClock {
  let now = start;
  const sleepers: Sleeper[] = []; // by due time, equal ones in the order of their calls

  function add(sleeper: Sleeper): void {
    const later = sleepers.findLastIndex((other) => other.due <= sleeper.due) + 1;
    sleepers.splice(later, 0, sleeper);
  }

  function remove(sleeper: Sleeper): void {
    const at = sleepers.indexOf(sleeper);
    if (at >= 0) sleepers.splice(at, 1);
  }

  async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (ms <= 0) return;
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const sleeper = { due: now + ms, wake: () => resolve(undefined) };
    const onAbort = () => {
      remove(sleeper);
      reject(signal?.reason as unknown);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    add(sleeper);
    try {
      await promise;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  async function advanceTo(time: number): Promise<void> {
    if (time < now) throw new RangeError('a clock does not go back');
    for (let next = sleepers[0]; next !== undefined && next.due <= time; next = sleepers[0]) {
      now = Math.max(now, next.due);
      while (sleepers[0] !== undefined && sleepers[0].due <= now) sleepers.shift()?.wake();
      await setImmediate();
    }
    now = Math.max(now, time);
  }

  return {
    now: () => now,
    sleep,
    advance: (ms) => advanceTo(now + ms),
    advanceTo,
    pending: () => sleepers.length,
    nextDue: () => sleepers[0]?.due,
  };
}
