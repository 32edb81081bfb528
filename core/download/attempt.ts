import type { FailureCode } from '../model/failure.ts';
import type { TimeLimit } from './time-limits.ts';
import { failure } from './translate.ts';

/**
 * One attempt's life: it ends early by its caller's signal, by a time limit or by a failure, whichever comes first;
 * everything that the attempt has under way follows its signal.
 */
export interface Attempt extends Disposable {
  readonly signal: AbortSignal;
  /** Ends the attempt for this reason, unless it has ended before. */
  fail: (reason: unknown) => void;
  /** Sets the attempt's time limit, in place of the one before: after `ms` milliseconds it fails with `code`. */
  limit: (ms: number, code: FailureCode, httpStatus?: number) => void;
  /** Like `limit`, but calls `expire`. */
  after: (ms: number, expire: () => void) => void;
  /** Has `cut` called when the attempt ends early, in place of the one before. */
  cutBy: (cut: () => void) => void;
  /** Takes the time limit away. */
  unlimited: () => void;
}

/** Begins an attempt that `signal` aborts. Dispose of it at the end, however it ended. */
export function beginAttempt(signal: AbortSignal, timeLimit: TimeLimit): Attempt {
  const controller = new AbortController();
  let cut: (() => void) | undefined;
  const fail = (reason: unknown) => {
    controller.abort(reason);
    cut?.();
  };
  const onAbort = () => fail(signal.reason);
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  return {
    signal: controller.signal,
    fail,
    limit: (ms, code, httpStatus) => timeLimit.set(ms, () => fail(failure(code, httpStatus))),
    after: (ms, expire) => timeLimit.set(ms, expire),
    cutBy(own) {
      cut = own;
    },
    unlimited: () => timeLimit.lift(),
    [Symbol.dispose]: () => {
      timeLimit[Symbol.dispose]();
      signal.removeEventListener('abort', onAbort);
    },
  };
}
