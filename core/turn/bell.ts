import type { Clock } from '../ports/clock.ts';

/** Wakes a loop that waits. */
export interface Bell {
  /** Ends the present wait, or the next one before it begins. */
  ring: () => void;
  /** Waits until the bell rings, at most `ms`. */
  wait: (ms: number) => Promise<void>;
}

export function createBell(clock: Clock): Bell {
  let rung = false;
  let waiting = new AbortController();
  return {
    ring() {
      rung = true;
      waiting.abort();
    },
    async wait(ms) {
      waiting = new AbortController();
      if (!rung && ms > 0) await clock.sleep(ms, waiting.signal).catch(() => undefined);
      rung = false;
    },
  };
}
