import { EXIT } from './exit.ts';

/** Ctrl-C under npm arrives twice, from the terminal and from npm; a second one by hand comes later. */
const SAME_SIGNAL_MS = 500;

/**
 * Aborted at the first Ctrl-C, SIGTERM or hang-up; at the second one the process is gone at once.
 *
 * @param onFirst tells the user what happens now
 */
export function untilInterrupted(onFirst: () => void): AbortSignal {
  const interrupted = new AbortController();
  let stoppedAt: number | undefined;
  const stop = () => {
    if (stoppedAt !== undefined) {
      if (performance.now() - stoppedAt > SAME_SIGNAL_MS) process.exit(EXIT.interrupted);
      return;
    }
    stoppedAt = performance.now();
    onFirst();
    interrupted.abort();
  };
  process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', stop);
  return interrupted.signal;
}
