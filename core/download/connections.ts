import type { LookupAddress } from 'node:dns';
import { connect as connectTcp, isIP, type LookupFunction, type OnReadOpts, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { createBlocks } from '../http1/blocks.ts';
import { createConnection, type Connection, type Response } from '../http1/connection.ts';
import { remove } from '../model/arrays.ts';
import {
  IDLE_CONNECTION_MS,
  MAX_IDLE_CONNECTIONS,
  MAX_RESPONSE_HEADER_BYTES,
  NEXT_ADDRESS_MS,
} from '../model/limits.ts';
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

export interface GetRequest {
  url: URL;
  /** By their names in lower case. */
  headers: Readonly<Record<string, string>>;
  addresses: readonly LookupAddress[];
}

/** A request that was sent. */
export interface Sent {
  /** Whether the connection had served another request before. */
  isReused: boolean;
  /** Resolves when the head is there. Errors: the socket's; `HttpError`. */
  response: Promise<Response>;
  /** Closes the connection. */
  destroy: () => void;
}

/** Bytes that one connection reads at once. */
const BLOCK_BYTES = 64 * 1024;
/** TLS sessions that are kept to be gone on with, by origin. */
const MAX_SESSIONS = 100;

/** @param idleMs how long a connection is kept for a later request */
export function createConnections(allowedNetworks: readonly Network[], idleMs = IDLE_CONNECTION_MS): Connections {
  const blocks = createBlocks(BLOCK_BYTES);
  const open: Connection[] = [];
  /** The longest idle first. */
  const idle: Connection[] = [];
  const sessions = new Map<string, Buffer>();

  function openSocket({ url, addresses }: GetRequest, onread: OnReadOpts): Socket {
    const isSecure = url.protocol === 'https:';
    const host = hostnameOf(url);
    const port = url.port === '' ? (isSecure ? 443 : 80) : Number(url.port);
    const lookup = answering(addresses);
    const target = { host, port, lookup, onread, noDelay: true, autoSelectFamily: true };
    const tcp = { ...target, autoSelectFamilyAttemptTimeout: NEXT_ADDRESS_MS };
    const socket = isSecure ? openTls(url, host, tcp) : connectTcp(tcp);
    // Before what is sent can go out.
    socket.once('connect', () => {
      const peer = socket.remoteAddress;
      const problem = peer === undefined ? undefined : addressProblem(peer, allowedNetworks);
      if (peer === undefined || problem) socket.destroy(problem); // without a peer it is closed already
    });
    return socket;
  }

  function openTls({ origin }: URL, host: string, tcp: object): Socket {
    const session = sessions.get(origin);
    // From the URL, not from a Host header that the user may have given. Addresses have none.
    const servername = isIP(host) === 0 ? host.replace(/\.$/, '') : '';
    const socket = connectTls({ ...tcp, servername, ALPNProtocols: ['http/1.1'], ...(session && { session }) });
    socket.on('session', (fresh) => {
      sessions.delete(origin);
      const [oldest] = sessions.keys();
      if (oldest !== undefined && sessions.size >= MAX_SESSIONS) sessions.delete(oldest);
      sessions.set(origin, fresh);
    });
    socket.on('error', () => sessions.delete(origin));
    return socket;
  }

  function connect(request: GetRequest): Connection {
    const connection = createConnection({
      origin: request.url.origin,
      openEvent: request.url.protocol === 'https:' ? 'secureConnect' : 'connect',
      blocks,
      maxHeaderBytes: MAX_RESPONSE_HEADER_BYTES,
      open(onread) {
        const socket = openSocket(request, onread);
        // Runs from the last byte, in use or not.
        socket.setTimeout(idleMs, () => {
          if (idle.includes(connection)) connection.destroy();
        });
        return socket;
      },
      freed() {
        if (idle.length >= MAX_IDLE_CONNECTIONS) idle.shift()?.destroy();
        idle.push(connection);
      },
      lost: () => remove(idle, connection),
    });
    open.push(connection);
    void connection.closed.then(() => remove(open, connection));
    return connection;
  }

  function takeIdle(origin: string): Connection | undefined {
    const at = idle.findLastIndex((connection) => connection.origin === origin);
    return at < 0 ? undefined : idle.splice(at, 1)[0];
  }

  return {
    send(request, connected) {
      const kept = takeIdle(request.url.origin);
      const connection = kept ?? connect(request);
      const response = connection.send(textOf(request), connected);
      return { isReused: kept !== undefined, response, destroy: connection.destroy };
    },
    dropIdle({ origin }) {
      for (const connection of idle) if (connection.origin === origin) connection.destroy();
    },
    async close() {
      for (const connection of open) connection.destroy();
      await Promise.all(open.map(({ closed }) => closed));
    },
  };
}

/** What a field's value cannot have (RFC 9110, section 5.5): here it would begin a line of its own. */
const NOT_IN_VALUES = /[^\t\x20-\x7e\x80-\xff]/;

/** A GET as it is sent (RFC 9112, section 2.1). Errors: a `TypeError` for what no header can be. */
function textOf({ url, headers }: GetRequest): string {
  let text = `GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\n`;
  for (const [name, value] of Object.entries(headers)) {
    if (NOT_IN_VALUES.test(value)) throw new TypeError('A header cannot be sent.');
    // Some servers know the usual spelling only.
    text += `${name.replace(/(^|-)[a-z]/g, (start) => start.toUpperCase())}: ${value}\r\n`;
  }
  return `${text}Connection: keep-alive\r\n\r\n`;
}

/** A URL's host as resolvers and sockets take it: IPv6 addresses without brackets. */
export function hostnameOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1');
}

/** A look-up that knows the answer. */
function answering(addresses: readonly LookupAddress[]): LookupFunction {
  return (_hostname, options, callback) => {
    const [first] = addresses;
    if (options.all === true) callback(null, [...addresses]);
    else callback(null, first?.address ?? '', first?.family);
  };
}
