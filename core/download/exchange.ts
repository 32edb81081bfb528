import type { LookupAddress } from 'node:dns';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { Timeouts } from '../model/options.ts';
import type { Attempt } from './attempt.ts';
import type { Connections } from './connections.ts';
import { failure, toDownloadError, type Phase } from './translate.ts';

/** A response whose headers are there and whose body is still to come. */
export interface Answer {
  readonly response: IncomingMessage;
  /** The URL that answered. */
  readonly url: URL;
  readonly status: number;
  /** What broke the connection since, if anything did: a body that ends by closing ends in silence either way. */
  readonly broken: () => Error | undefined;
  /** Whether the connection could serve another request once the body is read. */
  readonly reusable: boolean;
}

/**
 * Sends a GET and waits for the response's headers. The attempt's end destroys the connection, now or later.
 * Errors: `DownloadError`.
 */
export async function exchange(
  connections: Connections,
  target: { url: URL; headers: OutgoingHttpHeaders; addresses: readonly LookupAddress[] },
  timeouts: Timeouts,
  attempt: Attempt,
): Promise<Answer> {
  attempt.signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = connections.request(target.url, target.headers, target.addresses);
  let phase = 'connect' as Phase;
  let broken: Error | undefined;
  let response: IncomingMessage | undefined;

  const onConnected = () => {
    phase = 'headers';
    attempt.limit(timeouts.headersMs, 'HEADERS_TIMEOUT');
  };
  const onAbort = () => (response ?? request).destroy();
  attempt.signal.addEventListener('abort', onAbort);
  request.on('socket', (socket) => {
    if (request.reusedSocket) onConnected();
    else socket.once(target.url.protocol === 'https:' ? 'secureConnect' : 'connect', onConnected);
  });
  request.on('response', resolve);
  request.on('upgrade', ({ statusCode }, socket) => {
    socket.destroy();
    reject(failure('UNEXPECTED_STATUS', statusCode));
  });
  request.on('error', (error) => {
    broken ??= error;
    reject(error);
  });
  request.on('close', () => {
    attempt.signal.removeEventListener('abort', onAbort);
    if (response === undefined) reject(failure('CONNECTION_LOST')); // and nothing else has been said of it
  });
  attempt.limit(timeouts.connectMs, 'CONNECT_TIMEOUT');
  request.end();

  try {
    response = await promise;
  } catch (error) {
    attempt.signal.throwIfAborted();
    if (request.reusedSocket) {
      // A connection that was kept may have been closed, or hold leftovers, from before this request: that says
      // nothing of the source. It cannot come back here twice.
      connections.dropIdle(target.url);
      return await exchange(connections, target, timeouts, attempt);
    }
    throw toDownloadError(error, phase);
  }
  const status = response.statusCode ?? 0;
  return {
    response,
    url: target.url,
    status,
    broken: () => broken,
    reusable: request.shouldKeepAlive && status >= 200,
  };
}
