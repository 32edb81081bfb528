import { once } from 'node:events';
import {
  createServer as createHttpServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import type { Clock } from '../../core/ports/clock.ts';

/** One request as its answer sees it. */
export interface Visit {
  request: IncomingMessage;
  response: ServerResponse;
  /** The connection itself, for what no HTTP server would do. */
  socket: Socket;
  /** How many requests for this path came before. */
  earlier: number;
  /** Waits on the origin's clock; fails when the connection closes, which ends the answer. */
  pause: (ms: number) => Promise<void>;
}

/** How an origin answers the requests for a path; see origin-answers.ts. */
export type Answer = (visit: Visit) => void | Promise<void>;

export interface LoggedRequest {
  path: string;
  headers: IncomingHttpHeaders;
  /** The number of the connection on which it came, from 1. */
  connection: number;
  /** When it came, by the origin's clock; 0 without one. */
  at: number;
}

/** One connection, as long as it lasts and afterwards. */
export interface LoggedConnection {
  /** The client's port. */
  readonly port: number;
  /** The paths that were asked for on it. */
  readonly paths: string[];
  /** Bytes that came and that were sent, below HTTP and above TLS. */
  readonly received: number;
  readonly sent: number;
  /** Neither side has closed it. */
  readonly open: boolean;
}

/** A source of files on 127.0.0.1, on a port of the system's choosing, that does whatever it is told to. */
export interface Origin {
  readonly port: number;
  /** The URL of a path; at another host name if given, which a test's resolver must know. */
  url: (path?: string, hostname?: string) => string;
  /** Sets the answer to a path, be it with its query or for every query, `*` for all others; else it is 404. */
  on: (path: string, answer: Answer) => void;
  /** Every request so far, the oldest first. */
  readonly requests: readonly LoggedRequest[];
  /** Every connection so far, the oldest first. */
  readonly log: readonly LoggedConnection[];
  /** No answer does anything any more unless its pause ends or its client does something. */
  readonly atRest: boolean;
  /** Connections that are open now, and that ever were. */
  readonly openConnections: number;
  readonly connections: number;
  /** Closes the server and all connections. */
  stop: () => Promise<void>;
}

export interface OriginOptions {
  /** Serves https with this certificate. */
  tls?: { key: string; cert: string };
  hostname?: string;
  /** A port of the system's choosing if left out. */
  port?: number;
  /** What answers pause by. */
  clock?: Clock;
}

/** Starts an origin, stopped after the running test. */
export async function startOrigin(
  answers: Readonly<Record<string, Answer>> = {},
  { tls, hostname = '127.0.0.1', port: wanted = 0, clock }: OriginOptions = {},
): Promise<Origin> {
  const byPath = new Map(Object.entries(answers));
  const requests: LoggedRequest[] = [];
  const log: LoggedConnection[] = [];
  const open = new Map<Socket, { number: number; closed: AbortController }>();
  let busy = 0;

  function handle(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? '';
    const { socket } = request;
    const { number = 0, closed } = open.get(socket) ?? {};
    const earlier = requests.filter((other) => other.path === path).length;
    requests.push({ path, headers: request.headers, connection: number, at: clock?.now() ?? 0 });
    log[number - 1]?.paths.push(path);
    const answer =
      byPath.get(path) ??
      byPath.get(path.replace(/\?.*/, '')) ??
      byPath.get('*') ??
      (({ response }: Visit) => void response.writeHead(404).end());

    async function pause(ms: number): Promise<void> {
      if (!clock) throw new Error('This origin has no clock.');
      busy -= 1;
      try {
        await clock.sleep(ms, closed?.signal);
      } finally {
        busy += 1;
      }
    }
    async function play(): Promise<void> {
      busy += 1;
      try {
        await answer({ request, response, socket, earlier, pause });
      } catch {
        // An answer ends at the latest when its client goes away; what that does to it is no failure of the test.
        socket.destroy();
      } finally {
        busy -= 1;
      }
    }
    void play();
  }

  const server = tls ? createHttpsServer(tls, handle) : createHttpServer(handle);
  // No time limits of its own: only what a test says happens.
  Object.assign(server, { keepAliveTimeout: 0, headersTimeout: 0, requestTimeout: 0 });
  server.on(tls ? 'secureConnection' : 'connection', (socket: Socket) => {
    const closed = new AbortController();
    log.push(logged(socket));
    open.set(socket, { number: log.length, closed });
    socket.on('error', () => undefined); // clients may reset
    socket.on('close', () => {
      open.delete(socket);
      closed.abort();
    });
  });
  server.listen(wanted, hostname);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  async function stop(): Promise<void> {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    for (const socket of open.keys()) socket.destroy();
    await closed;
  }
  onTestFinished(stop);

  return {
    port,
    url: (path = '/', name = hostname) => `${tls ? 'https' : 'http'}://${name}:${port}${path}`,
    on: (path, answer) => void byPath.set(path, answer),
    requests,
    log,
    get atRest() {
      return busy === 0;
    },
    get openConnections() {
      return open.size;
    },
    get connections() {
      return log.length;
    },
    stop,
  };
}

function logged(socket: Socket): LoggedConnection {
  return {
    port: socket.remotePort ?? 0,
    paths: [],
    get received() {
      return socket.bytesRead;
    },
    get sent() {
      return socket.bytesWritten;
    },
    get open() {
      return !socket.destroyed && !socket.writableEnded;
    },
  };
}
