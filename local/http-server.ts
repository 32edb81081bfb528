import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';

/** Only this machine reaches the service. */
const ADDRESS = '127.0.0.1';
/** How long requests under way may take once the server is told to stop. */
const CLOSE_GRACE_MS = 1000;

/** How long a client may take, in milliseconds, so that a slow one does not hold the server for ever. */
export interface ClientLimits {
  headersMs: number;
  /** Headers and body. */
  requestMs: number;
  /** Without a byte in either direction; for clients that do not read their answer. */
  idleMs: number;
}

export const DEFAULT_CLIENT_LIMITS: ClientLimits = { headersMs: 10_000, requestMs: 60_000, idleMs: 60_000 };

export interface HttpServer {
  url: string;
  /** Takes no more requests, and waits a moment for those under way. */
  close: () => Promise<void>;
}

/** Serves an app on loopback; port 0 takes a free one. Errors: Node's `EADDRINUSE`, `EACCES`. */
export async function serveHttp(
  app: Pick<Hono, 'fetch'>,
  port: number,
  limits: ClientLimits = DEFAULT_CLIENT_LIMITS,
): Promise<HttpServer> {
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  const server = createServer(
    {
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      // How often Node looks at the two above.
      connectionsCheckingInterval: Math.min(limits.headersMs, limits.requestMs) / 4,
    },
    (request, response) => {
      // Or a connection that is kept alive would hold a server that is closing.
      response.once('close', () => {
        if (!server.listening) server.closeIdleConnections();
      });
      void listener(request, response);
    },
  );
  server.setTimeout(limits.idleMs);
  await listen(server, port);
  return {
    url: `http://${ADDRESS}:${(server.address() as AddressInfo).port}`,
    close: () => close(server),
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, ADDRESS, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const late = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
    server.close(() => {
      clearTimeout(late);
      resolve();
    });
    server.closeIdleConnections();
  });
}
