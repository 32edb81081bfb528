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

/** One request as its answer sees it. */
export interface Visit {
  request: IncomingMessage;
  response: ServerResponse;
  /** The connection itself, for what no HTTP server would do. */
  socket: Socket;
  /** How many requests for this path came before. */
  earlier: number;
}

/** How an origin answers the requests for a path; see origin-answers.ts. */
export type Answer = (visit: Visit) => void | Promise<void>;

export interface LoggedRequest {
  path: string;
  headers: IncomingHttpHeaders;
  /** The number of the connection on which it came, from 1. */
  connection: number;
}

/** A source of files on 127.0.0.1, on a port of the system's choosing, that does whatever it is told to. */
export interface Origin {
  readonly port: number;
  /** The URL of a path; at another host name if given, which a test's resolver must know. */
  url: (path?: string, hostname?: string) => string;
  /** Sets the answer to a path (with its query, if any); other paths are answered with 404. */
  on: (path: string, answer: Answer) => void;
  /** Every request so far, the oldest first. */
  readonly requests: readonly LoggedRequest[];
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
}

/** Starts an origin, stopped after the running test. */
export async function startOrigin(
  answers: Readonly<Record<string, Answer>> = {},
  { tls, hostname = '127.0.0.1' }: OriginOptions = {},
): Promise<Origin> {
  const byPath = new Map(Object.entries(answers));
  const requests: LoggedRequest[] = [];
  const open = new Map<Socket, number>();
  let connections = 0;

  function handle(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? '';
    const { socket } = request;
    const earlier = requests.filter((other) => other.path === path).length;
    requests.push({ path, headers: request.headers, connection: open.get(socket) ?? 0 });
    const answer = byPath.get(path) ?? (({ response }) => void response.writeHead(404).end());
    // An answer ends at the latest when its client goes away; what that does to it is no failure of the test.
    void (async () => answer({ request, response, socket, earlier }))().catch(() => socket.destroy());
  }

  const server = tls ? createHttpsServer(tls, handle) : createHttpServer(handle);
  // No time limits of its own: only what a test says happens.
  Object.assign(server, { keepAliveTimeout: 0, headersTimeout: 0, requestTimeout: 0 });
  server.on(tls ? 'secureConnection' : 'connection', (socket: Socket) => {
    open.set(socket, ++connections);
    socket.on('error', () => undefined); // clients may reset
    socket.on('close', () => open.delete(socket));
  });
  server.listen(0, hostname);
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
    get openConnections() {
      return open.size;
    },
    get connections() {
      return connections;
    },
    stop,
  };
}
