import { FENCE_MS } from '../model/limits.ts';
import type { Clock } from '../ports/clock.ts';

/** How long to wait before a call that failed is tried again. */
const RETRY_MS = 500;

export type Fence = ReturnType<typeof createFence>;

/**
 * How long a worker may rely on a lease: by its own clock, counted from sending, until some time before its end, so that
 * what it has on the wire can land before another one holds it.
 *
 * @param lost makes the reason with which everything is aborted
 */
export function createFence(clock: Clock, leaseUntil: number, lost: () => Error) {
  const over = new AbortController();
  let fenceAt = leaseUntil - FENCE_MS;

  function lose(): void {
    if (!over.signal.aborted) over.abort(lost());
  }

  function isOver(): boolean {
    if (clock.now() >= fenceAt) lose();
    return over.signal.aborted;
  }

  return {
    isOver,
    lose,
    /** A write landed that was sent with this lease. */
    renewed(until: number): void {
      fenceAt = until - FENCE_MS;
    },
    /** Aborted once the lease cannot be relied on. */
    signal: over.signal,
    /** Watches the lease until `signal` is aborted, however long any call takes. */
    watch: async (signal: AbortSignal): Promise<void> => {
      while (!signal.aborted && !isOver()) {
        await clock.sleep(fenceAt - clock.now(), signal).catch(() => undefined);
      }
    },
    /** Tries again until it works; `undefined` if the lease is over before. */
    persist: async <T>(call: () => Promise<T | undefined>): Promise<T | undefined> => {
      while (!isOver()) {
        const answer = await call().catch(() => undefined);
        if (answer !== undefined) return answer;
        if (!isOver()) await clock.sleep(RETRY_MS, over.signal).catch(() => undefined);
      }
      return undefined;
    },
  };
}
