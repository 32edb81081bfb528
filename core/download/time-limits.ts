import { remove } from '../model/arrays.ts';
import type { Clock } from '../ports/clock.ts';

/** The one time limit that one attempt has at a time. */
export interface TimeLimit extends Disposable {
  /** Sets the limit, in place of the one before: `expire` is called once it has stood for `ms` milliseconds. */
  set: (ms: number, expire: () => void) => void;
  /** Takes the limit away, until the next `set`. */
  lift: () => void;
}

interface Standing {
  deadline: number;
  expire: (() => void) | undefined;
}

/** One for all: to make an error costs more than to sleep. */
const NOT_NEEDED = new Error('Another time limit comes first, or none is left.');

/**
 * Watches the time limits of all attempts by one sleep. A limit is moved on with every read of every body, and a sleep
 * outlasts many such moves: there is no timer per read, nor one per attempt. Nobody sleeps while there is no attempt.
 */
export function createTimeLimits(clock: Clock): () => TimeLimit {
  const all: Standing[] = [];
  /** Cancels the sleep that is under way, if one is, and when that is over. */
  let sleep: AbortController | undefined;
  let wakesAt = Infinity;

  function nextDeadline(): number {
    let next = Infinity;
    for (const { deadline } of all) next = Math.min(next, deadline);
    return next;
  }

  async function watch(cancel: AbortController): Promise<void> {
    for (;;) {
      wakesAt = nextDeadline();
      if (wakesAt === Infinity) break;
      await clock.sleep(wakesAt - clock.now(), cancel.signal).catch(() => undefined);
      if (cancel.signal.aborted) return; // another watch may have begun
      const now = clock.now();
      for (const limit of all) {
        if (limit.deadline > now) continue;
        limit.deadline = Infinity;
        limit.expire?.();
      }
    }
    sleep = undefined;
  }

  return () => {
    const limit: Standing = { deadline: Infinity, expire: undefined };
    all.push(limit);
    return {
      set(ms, expire) {
        limit.deadline = clock.now() + ms;
        limit.expire = expire;
        if (sleep !== undefined && wakesAt <= limit.deadline) return;
        sleep?.abort(NOT_NEEDED);
        sleep = new AbortController();
        void watch(sleep);
      },
      lift() {
        limit.deadline = Infinity;
      },
      [Symbol.dispose]() {
        remove(all, limit);
        if (all.length > 0) return;
        sleep?.abort(NOT_NEEDED);
        sleep = undefined;
      },
    };
  };
}
