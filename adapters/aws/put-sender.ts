import { createTimeLimits, type TimeLimit } from '../../core/download/time-limits.ts';
import type { Response } from '../../core/http1/connection.ts';
import type { Headers } from '../../core/http1/head.ts';
import { createPool } from '../../core/http1/pool.ts';
import { requestHead } from '../../core/http1/request.ts';
import { remove } from '../../core/model/arrays.ts';
import { systemClock } from '../system-clock.ts';

/** What bounds the requests of one sender. */
export interface SenderLimits {
  /** Connections in use at once. */
  sockets: number;
  /** Until a connection is open. */
  connectMs: number;
  /** From then on to the head of the answer. */
  requestMs: number;
  /** Without anything that goes or comes. */
  idleMs: number;
}

/** A request that is ready to be sent. */
export interface PutRequest {
  /** Of the origin that it goes to. */
  url: URL;
  /** Path and query. */
  target: string;
  /** By their names in lower case. */
  headers: Readonly<Record<string, string>>;
  body: Buffer;
}

export interface PutAnswer {
  status: number;
  headers: Headers;
  /** What an error says. */
  text: string;
}

/** Sends PUTs whose bodies are in memory, over connections that are kept. */
export interface PutSender {
  /**
   * Waits for a connection, and for the answer, all of it. Errors: named as the SDK's own handler names them, so that its
   * retries know what may pass; an `AbortError` whose cause is the signal's reason.
   */
  send: (request: PutRequest, signal?: AbortSignal) => Promise<PutAnswer>;
  /** Closes all connections. */
  destroy: () => void;
}

/** Bytes of an answer that are looked at; S3 says what it has to say in a few hundred. */
const MAX_ANSWER_BYTES = 64 * 1024;
/** How a connection fails that was open, or could have been. */
const LOST: readonly unknown[] = ['HTTP_CLOSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT'];

export function createPutSender({ sockets, connectMs, requestMs, idleMs }: SenderLimits): PutSender {
  const pool = createPool<PutRequest>({ maxIdle: sockets, idleMs });
  const limitTime = createTimeLimits(systemClock);
  const slots = createSlots(sockets);

  async function send(request: PutRequest, signal?: AbortSignal): Promise<PutAnswer> {
    await slots.take(signal);
    try {
      using limit = limitTime();
      return await exchange(request, limit, signal);
    } finally {
      slots.giveBack();
    }
  }

  async function exchange(request: PutRequest, limit: TimeLimit, signal?: AbortSignal): Promise<PutAnswer> {
    if (signal?.aborted === true) throw aborted(signal);
    const { url, target, headers, body } = request;
    const deadline = systemClock.now() + requestMs;
    /** Why we have ended it ourselves. */
    let ended: Error | undefined;
    const end = (error: Error) => {
      ended ??= error;
      sent.destroy();
    };
    const onAbort = () => end(aborted(signal));
    const expire = () => end(timedOut());
    const progressed = () => limit.set(Math.min(idleMs, deadline - systemClock.now()), expire);
    limit.set(connectMs, expire);
    const sent = pool.send(request, requestHead('PUT', target, headers), progressed, body);
    signal?.addEventListener('abort', onAbort, { once: true });
    let response: Response | undefined;
    try {
      response = await sent.response;
      limit.set(idleMs, expire);
      return { status: response.status, headers: response.headers, text: await textOf(response) };
    } catch (error) {
      sent.destroy();
      // The others may have been closed as this one was, before or without a word.
      if (sent.isReused) pool.dropIdle(url);
      if (ended) throw ended;
      if (!isLost(error)) throw error;
      if (!sent.isReused || response) throw lost(error);
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
    // Closed from before this request, which says nothing of S3. A PUT may be repeated; this cannot happen twice.
    return exchange(request, limit, signal);
  }

  return { send, destroy: () => void pool.close() };
}

/** What a response says, read to its end. */
async function textOf(response: Response): Promise<string> {
  const pieces: Buffer[] = [];
  for (let bytes = 0; bytes <= MAX_ANSWER_BYTES;) {
    const piece = response.read();
    if (piece) {
      bytes += piece.length;
      pieces.push(Buffer.from(piece));
    } else if (response.hasEnded()) break;
    else await response.changed();
  }
  response.destroy();
  return Buffer.concat(pieces).toString();
}

/** So many at once; the others wait in the order of their coming. */
function createSlots(count: number) {
  const waiting: (() => void)[] = [];
  let free = count;
  return {
    async take(signal?: AbortSignal): Promise<void> {
      if (free > 0) {
        free -= 1;
        return;
      }
      if (signal?.aborted === true) throw aborted(signal);
      const { promise, resolve, reject } = Promise.withResolvers<undefined>();
      const enter = () => resolve(undefined);
      const onAbort = () => {
        remove(waiting, enter);
        reject(aborted(signal));
      };
      waiting.push(enter);
      signal?.addEventListener('abort', onAbort, { once: true });
      await promise.finally(() => signal?.removeEventListener('abort', onAbort));
    },
    giveBack(): void {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    },
  };
}

function isLost(error: unknown): boolean {
  return error instanceof Error && 'code' in error && LOST.includes(error.code);
}

function lost(cause: unknown): Error {
  return Object.assign(new Error('The connection to S3 was lost.', { cause }), { name: 'TimeoutError' });
}

function timedOut(): Error {
  return Object.assign(new Error('S3 took too long.'), { name: 'TimeoutError' });
}

function aborted(signal: AbortSignal | undefined): Error {
  return Object.assign(new Error('The request was aborted.', { cause: signal?.reason }), { name: 'AbortError' });
}
