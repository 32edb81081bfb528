import type { IncomingMessage } from 'node:http';
import type { BatchOptions } from '../model/options.ts';
import type { Clock } from '../ports/clock.ts';
import type { Attempt } from './attempt.ts';
import type { Answer } from './exchange.ts';
import { codeOf, failure, toDownloadError } from './translate.ts';

/** Bytes of the body as its Content-Length says; the parser has refused all but one plain number. */
export function declaredLength({ headers }: IncomingMessage): number | undefined {
  const length = headers['content-length'];
  return length === undefined ? undefined : Number(length);
}

/** Whether the body's end is marked by its framing, not by the end of the connection. */
export function isFramed({ headers }: IncomingMessage): boolean {
  return headers['content-length'] !== undefined || /(^|,)\s*chunked\s*$/i.test(headers['transfer-encoding'] ?? '');
}

/** Whether the body comes as it is: a transfer coding besides `chunked` was not asked for, and would be stored. */
export function isPlainlyFramed({ headers }: IncomingMessage): boolean {
  return /^\s*chunked\s*$/i.test(headers['transfer-encoding'] ?? 'chunked');
}

/**
 * The pieces of a response's body, to its proven end; each is the reader's until it asks for the next. Time limits run
 * only while a piece is waited for, never while the reader of this generator is busy. Errors: `DownloadError`.
 */
export async function* readBody(
  answer: Answer,
  { timeouts, lowSpeed }: Pick<BatchOptions, 'timeouts' | 'lowSpeed'>,
  attempt: Attempt,
  clock: Clock,
): AsyncGenerator<Buffer, void, void> {
  const { response, status } = answer;
  const declared = declaredLength(response);
  let received = 0;
  // What came, and the time that was spent waiting for it, since the speed was last looked at.
  let windowBytes = 0;
  let windowMs = 0;

  const incoming = createReader(response);
  try {
    for (;;) {
      const piece = incoming.read();
      if (piece === null) {
        if (incoming.hasEnded()) break;
        const since = clock.now();
        attempt.limit(timeouts.idleMs, 'IDLE_TIMEOUT', status);
        await incoming.changed();
        attempt.unlimited();
        windowMs += clock.now() - since;
        continue;
      }
      received += piece.length;
      windowBytes += piece.length;
      if (windowMs >= lowSpeed.seconds * 1000) {
        const isSlow = windowBytes < (lowSpeed.bytesPerSecond * windowMs) / 1000;
        if (isSlow && received !== declared) throw failure('TOO_SLOW', status);
        windowBytes = windowMs = 0;
      }
      yield piece;
      giveBack(piece);
    }
  } catch (error) {
    attempt.signal.throwIfAborted();
    const broken = answer.broken();
    // Closed in good order, only too early: Node calls that a reset too, but has seen none on the connection.
    if (broken === undefined && codeOf(error) === 'ECONNRESET') throw failure('TRUNCATED', status);
    throw toDownloadError(broken ?? error, 'body', status);
  } finally {
    attempt.unlimited();
    if (!response.readableEnded) response.destroy();
  }
  if (!response.complete || (declared !== undefined && received !== declared)) throw failure('TRUNCATED', status);
  // A reset looks like the end of a body that ends by closing.
  const broken = answer.broken();
  if (broken !== undefined && !isFramed(response)) throw toDownloadError(broken, 'body', status);
}

/**
 * Reads a response as its own iterator does. That one listens and waits for every body; most small ones are there, whole, with
 * their headers.
 */
function createReader(response: IncomingMessage) {
  let isWatched = false;
  let error: unknown;
  let wake: () => void = () => undefined;

  function watch(): void {
    isWatched = true;
    if (!response.complete) response.on('readable', () => wake());
    response.on('end', () => wake());
    response.on('close', () => wake());
    response.on('error', (reason) => {
      error ??= reason;
      wake();
    });
  }

  return {
    /** All that has come; `null` if nothing has. */
    read: () => (response.destroyed ? null : response.read()) as Buffer<ArrayBuffer> | null,
    /** Whether that was the end. Throws what has ended it too early. */
    hasEnded(): boolean {
      if (error !== undefined) throw error as Error;
      if (response.readableEnded) return true;
      if (response.closed) throw response.errored ?? failure('CONNECTION_LOST', response.statusCode);
      return false;
    },
    /** Waits for more, or the end. */
    changed: () =>
      new Promise<void>((resolve) => {
        wake = resolve;
        if (!isWatched) watch();
      }),
  };
}

/**
 * Frees a piece's memory at once. V8 collects garbage by what is on its heap: of what is not, as the bytes that sockets
 * bring, it lets 64 MB lie.
 */
function giveBack({ buffer, length }: Buffer<ArrayBuffer>): void {
  if (length === buffer.byteLength) buffer.transfer(0); // and is thus in no other piece
}
