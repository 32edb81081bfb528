import { HttpError } from '../http1/http-error.ts';
import type { Response } from '../http1/connection.ts';
import type { Timeouts } from '../model/options.ts';
import type { Attempt } from './attempt.ts';
import type { Connections, GetRequest } from './connections.ts';
import { failure, toDownloadError, type Phase } from './translate.ts';

/** A response whose headers are there and whose body is still to come. */
export interface Answer {
  readonly response: Response;
  /** The URL that answered. */
  readonly url: URL;
  readonly status: number;
}

/**
 * Sends a GET and waits for the response's headers. The attempt's early end closes the connection, now or later.
 * Errors: `DownloadError`.
 */
export async function exchange(
  connections: Connections,
  request: GetRequest,
  timeouts: Timeouts,
  attempt: Attempt,
): Promise<Answer> {
  attempt.signal.throwIfAborted();
  let phase = 'connect' as Phase;
  attempt.limit(timeouts.connectMs, 'CONNECT_TIMEOUT');
  const sent = connections.send(request, () => {
    phase = 'headers';
    attempt.limit(timeouts.headersMs, 'HEADERS_TIMEOUT');
  });
  attempt.cutBy(sent.destroy);
  let response: Response;
  try {
    response = await sent.response;
  } catch (error) {
    attempt.signal.throwIfAborted();
    if (sent.isReused) {
      // A connection that was kept may have been closed, or hold leftovers, from before this request: that says
      // nothing of the source. It cannot come back here twice.
      connections.dropIdle(request.url);
      return await exchange(connections, request, timeouts, attempt);
    }
    if (error instanceof HttpError && error.code === 'HTTP_CLOSED') throw failure('CONNECTION_LOST');
    throw toDownloadError(error, phase);
  }
  attempt.cutBy(response.destroy);
  return { response, url: request.url, status: response.status };
}
