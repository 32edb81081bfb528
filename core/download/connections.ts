import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { createPool, type Sent, type Target } from '../http1/pool.ts';
import { requestHead } from '../http1/request.ts';
import { IDLE_CONNECTION_MS, MAX_IDLE_CONNECTIONS } from '../model/limits.ts';
import { addressProblem, type Network } from './address-guard.ts';

/** HTTP connections that lead nowhere but to allowed addresses, kept open between requests. */
export interface Connections {
  /** Sends a GET over an idle connection, or one to one of `addresses`, which must have been checked. */
  send: (request: GetRequest, connected: () => void) => Sent;
  /** Closes the idle connections to this URL's host, so that its next request opens one of its own. */
  dropIdle: (url: URL) => void;
  /** Closes all connections, also those in use, and waits until they are closed. */
  close: () => Promise<void>;
}

export interface GetRequest extends Target {
  /** By their names in lower case. */
  headers: Readonly<Record<string, string>>;
  addresses: readonly LookupAddress[];
}

/** @param idleMs how long a connection is kept for a later request */
export function createConnections(allowedNetworks: readonly Network[], idleMs = IDLE_CONNECTION_MS): Connections {
  const { send, dropIdle, close } = createPool<GetRequest>({
    maxIdle: MAX_IDLE_CONNECTIONS,
    idleMs,
    lookupOf: ({ addresses }) => answering(addresses),
    opening(socket) {
      // First of all, or TLS would have begun to speak.
      socket.prependOnceListener('connect', () => {
        const peer = socket.remoteAddress;
        const problem = peer === undefined ? undefined : addressProblem(peer, allowedNetworks);
        if (peer === undefined || problem) socket.destroy(problem); // without a peer it is closed already
      });
    },
  });
  return {
    send(request, connected) {
      const { url, headers } = request;
      const head = requestHead('GET', url.pathname + url.search, { host: url.host, ...headers });
      return send(request, head, connected);
    },
    dropIdle,
    close,
  };
}

/** A look-up that knows the answer. */
function answering(addresses: readonly LookupAddress[]): LookupFunction {
  return (_hostname, options, callback) => {
    const [first] = addresses;
    if (options.all === true) callback(null, [...addresses]);
    else callback(null, first?.address ?? '', first?.family);
  };
}
