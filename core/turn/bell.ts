import type { Clock } from '../ports/clock.ts';

/** Wakes a loop that waits. */
export interface Bell extends Disposable {
  /** Ends the present wait, or the next one before it begins. */
  ring: () => void;
  /** Waits until the bell rings, at most `ms`. */
  wait: (ms: number) => Promise<void>;
}

/**
 * A bell rings for every file, mostly long before a wait is over: it ends the wait and leaves the sleep to the waits that
 * follow, for an aborted sleep costs as much as a small file's request. Dispose of it, or the last sleep goes on.
 */
export function createBell(clock: Clock): Bell {
  let rung = false;
  let wake: (() => void) | undefined;
  /** Cancels the sleep that is under way, if one is, and when that is over. */
  let sleep: AbortController | undefined;
  let wakesAt = Infinity;

  /** Has somebody woken at `until`, by the sleep that is under way if that is over by then. */
  async function sleepUntil(until: number): Promise<void> {
    if (sleep !== undefined && wakesAt <= until) return;
    sleep?.abort();
    const own = new AbortController();
    sleep = own;
    wakesAt = until;
    await clock.sleep(until - clock.now(), own.signal).catch(() => undefined);
    if (own.signal.aborted) return;
    sleep = undefined;
    wake?.();
  }

  return {
    ring() {
      rung = true;
      wake?.();
    },
    async wait(ms) {
      const until = clock.now() + ms;
      // Woken too early by the sleep of an earlier wait, it sleeps anew.
      while (!rung && clock.now() < until) {
        const woken = new Promise<void>((resolve) => (wake = resolve));
        void sleepUntil(until);
        await woken;
        wake = undefined;
      }
      rung = false;
    },
    [Symbol.dispose]() {
      sleep?.abort();
      sleep = undefined;
    },
  };
}
