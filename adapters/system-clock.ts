import type { Clock } from '../core/ports/clock.ts';

/** The longest wait of one Node timer; a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** The machine's own time. A sleep keeps the process alive until it is over or aborted. */
export const systemClock: Clock = {
  now: () => Date.now(),
  // Not by node:timers/promises, which makes an error of its own at each abort: a turn's loop is woken for each file.
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      let left = ms;
      let timer: NodeJS.Timeout;
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal?.reason as Error);
      };
      const next = () => {
        timer = setTimeout(() => (left > 0 ? next() : end()), Math.min(left, MAX_TIMER_MS));
        left -= MAX_TIMER_MS;
      };
      const end = () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      next();
    }),
};
