import { HttpError } from '../http1/http-error.ts';
import type { Response } from '../http1/connection.ts';
import type { BatchOptions } from '../model/options.ts';
import type { Clock } from '../ports/clock.ts';
import type { Attempt } from './attempt.ts';
import type { Answer } from './exchange.ts';
import { failure, toDownloadError } from './translate.ts';

/** Whether the body comes as it is: a transfer coding besides `chunked` was not asked for, and would be stored. */
export function isPlainlyFramed({ headers }: Response): boolean {
  return /^\s*chunked\s*$/i.test(headers['transfer-encoding'] ?? 'chunked');
}

/**
 * The pieces of a response's body, to its proven end; each is the reader's until it asks for the next. Time limits run
 * only while a piece is waited for, never while the reader of this generator is busy. Errors: `DownloadError`.
 *
 * @param space where they are read to as far as possible: `Response.readInto`
 */
export async function* readBody(
  answer: Answer,
  { timeouts, lowSpeed }: Pick<BatchOptions, 'timeouts' | 'lowSpeed'>,
  attempt: Attempt,
  clock: Clock,
  space: (from: number) => Buffer,
): AsyncGenerator<Buffer, void, void> {
  const { response, status } = answer;
  let received = 0;
  // What came, and the time that was spent waiting for it, since the speed was last looked at.
  let windowBytes = 0;
  let windowMs = 0;

  response.readInto(space);
  try {
    for (;;) {
      const piece = response.read();
      if (piece === null) {
        if (response.hasEnded()) break;
        const since = clock.now();
        attempt.limit(timeouts.idleMs, 'IDLE_TIMEOUT', status);
        await response.changed();
        attempt.unlimited();
        windowMs += clock.now() - since;
        continue;
      }
      received += piece.length;
      windowBytes += piece.length;
      if (windowMs >= lowSpeed.seconds * 1000) {
        const isSlow = windowBytes < (lowSpeed.bytesPerSecond * windowMs) / 1000;
        if (isSlow && received !== response.length) throw failure('TOO_SLOW', status);
        windowBytes = windowMs = 0;
      }
      yield piece;
    }
  } catch (error) {
    attempt.signal.throwIfAborted();
    if (error instanceof HttpError && error.code === 'HTTP_CLOSED') throw failure('TRUNCATED', status);
    throw toDownloadError(error, 'body', status);
  } finally {
    attempt.unlimited();
    response.destroy();
  }
}
