import { setTimeout } from 'node:timers/promises';
import type { Clock } from '../core/ports/clock.ts';

/** The longest wait of one Node timer; a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** The machine's own time. A sleep keeps the process alive until it is over or aborted. */
export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    signal?.throwIfAborted();
    let left = ms;
    try {
      do {
        await setTimeout(Math.min(left, MAX_TIMER_MS), undefined, { signal });
        left -= MAX_TIMER_MS;
      } while (left > 0);
    } catch (error) {
      // Node rejects with an AbortError of its own; the port promises the signal's reason.
      signal?.throwIfAborted();
      throw error;
    }
  },
};
