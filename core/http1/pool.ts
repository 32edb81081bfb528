import { connect as connectTcp, isIP, type LookupFunction, type OnReadOpts, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { remove } from '../model/arrays.ts';
import { MAX_RESPONSE_HEADER_BYTES, NEXT_ADDRESS_MS } from '../model/limits.ts';
import { createBlocks } from './blocks.ts';
import { createConnection, type Connection, type Response } from './connection.ts';

/** Connections that are kept open between requests. */
export interface Pool<T extends Target> {
  /** Sends a request over the connection to its origin that was idle the shortest, or over a new one: `Connection.send`. */
  send: (to: T, head: string, progressed: () => void, body?: Buffer) => Sent;
  /** Closes the idle connections to this URL's origin, so that its next request opens one of its own. */
  dropIdle: (url: URL) => void;
  /** Closes all connections, also those in use, and waits until they are closed. */
  close: () => Promise<void>;
}

/** Where a request goes. */
export interface Target {
  url: URL;
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

export interface PoolOptions<T> {
  /** Idle connections that are kept, over all origins, and for how long each. */
  maxIdle: number;
  idleMs: number;
  /** How the name of a target's host is looked up; as Node does it if left out. */
  lookupOf?: (to: T) => LookupFunction;
  /** Called with each new socket, which is not open yet: nothing is sent before `connect` was heard. */
  opening?: (socket: Socket) => void;
}

/** Bytes that one connection reads at once. */
const BLOCK_BYTES = 64 * 1024;
/** TLS sessions that are kept to be gone on with, by origin. */
const MAX_SESSIONS = 100;

/** A pool of connections by TCP, and by TLS as Node has it by default, to any number of origins. */
export function createPool<T extends Target>({ maxIdle, idleMs, lookupOf, opening }: PoolOptions<T>): Pool<T> {
  const blocks = createBlocks(BLOCK_BYTES);
  const open: Connection[] = [];
  /** The longest idle first. */
  const idle: Connection[] = [];
  const sessions = new Map<string, Buffer>();

  function openSocket(to: T, onread: OnReadOpts): Socket {
    const { url } = to;
    const isSecure = url.protocol === 'https:';
    const host = hostnameOf(url);
    const port = url.port === '' ? (isSecure ? 443 : 80) : Number(url.port);
    const target = { host, port, lookup: lookupOf?.(to), onread, noDelay: true, autoSelectFamily: true };
    const tcp = { ...target, autoSelectFamilyAttemptTimeout: NEXT_ADDRESS_MS };
    const socket = isSecure ? openTls(url, host, tcp) : connectTcp(tcp);
    opening?.(socket);
    return socket;
  }

  function openTls({ origin }: URL, host: string, tcp: object): Socket {
    const session = sessions.get(origin);
    // Addresses have none.
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

  function connect(to: T): Connection {
    const connection = createConnection({
      origin: to.url.origin,
      openEvent: to.url.protocol === 'https:' ? 'secureConnect' : 'connect',
      blocks,
      maxHeaderBytes: MAX_RESPONSE_HEADER_BYTES,
      idleMs,
      open: (onread) => openSocket(to, onread),
      freed() {
        if (idle.length >= maxIdle) idle.shift()?.destroy();
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
    send(to, head, progressed, body) {
      const kept = takeIdle(to.url.origin);
      const connection = kept ?? connect(to);
      const response = connection.send(head, progressed, body);
      return { isReused: kept !== undefined, response, destroy: connection.destroy };
    },
    dropIdle({ origin }) {
      for (let kept = takeIdle(origin); kept; kept = takeIdle(origin)) kept.destroy();
    },
    async close() {
      for (const connection of open) connection.destroy();
      await Promise.all(open.map(({ closed }) => closed));
    },
  };
}

/** A URL's host as resolvers and sockets take it: IPv6 addresses without brackets. */
export function hostnameOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1');
}
