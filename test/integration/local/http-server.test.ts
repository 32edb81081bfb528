import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { Hono } from 'hono';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createApp } from '../../../http/app.ts';
import { DEFAULT_CLIENT_LIMITS, serveHttp } from '../../../local/http-server.ts';
import type { ClientLimits } from '../../../local/http-server.ts';

/** A server whose one route reads the body and then waits for the test. */
async function startServer(limits: Partial<ClientLimits> = {}) {
  const errors: unknown[] = [];
  const arrived = Promise.withResolvers<undefined>();
  const answer = Promise.withResolvers<string>();
  const app = createApp({ onError: (error) => errors.push(error) }, (app) =>
    app.post('/health', async (c) => {
      arrived.resolve(undefined);
      const body = await c.req.text();
      return c.text(body + (await answer.promise));
    }),
  );
  const server = await serveHttp(app, 0, { ...DEFAULT_CLIENT_LIMITS, ...limits });
  onTestFinished(() => server.close());
  return { server, errors, arrived: arrived.promise, answer: answer.resolve };
}

/** Sends bytes to a server as they are; `closed` answers with what came back once the server has hung up. */
function open(url: string, text: string): { socket: Socket; closed: Promise<string> } {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  let received = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (received += chunk));
  socket.on('error', () => undefined);
  socket.write(text);
  return { socket, closed: once(socket, 'close').then(() => received) };
}

const HEAD = 'POST /health HTTP/1.1\r\nHost: 127.0.0.1\r\n';

describe('the HTTP server', () => {
  it('hangs up on a client that does not send its headers in time', async () => {
    const { server } = await startServer({ headersMs: 100 });
    expect(await open(server.url, 'GET /health HT').closed).toMatch(/^HTTP\/1.1 408 /);
    expect(await open(server.url, `${HEAD}X-Slow: `).closed).toMatch(/^HTTP\/1.1 408 /);
  });

  it('hangs up on a client that does not send its body in time', async () => {
    const { server, errors } = await startServer({ headersMs: 100, requestMs: 200 });
    expect(await open(server.url, `${HEAD}Content-Length: 10\r\n\r\nhalf`).closed).toMatch(/^HTTP\/1.1 4\d\d /);
    expect(errors).toEqual([]);
  });

  it('hangs up on a client that says nothing at all', async () => {
    const { server } = await startServer({ idleMs: 100 });
    expect(await open(server.url, '').closed).toBe('');
  });

  it('reports nothing when a client goes away in the middle of its body', async () => {
    const { server, errors, arrived, answer } = await startServer();
    const { socket } = open(server.url, `${HEAD}Content-Length: 10\r\n\r\nhalf`);
    await arrived;
    socket.destroy();
    await once(socket, 'close');
    const { closed } = open(server.url, `${HEAD}Connection: close\r\nContent-Length: 5\r\n\r\nwhole`);
    answer('!');
    expect(await closed).toMatch(/^HTTP\/1.1 200 [^]*whole!$/);
    expect(errors).toEqual([]);
  });

  it('answers requests under way before it closes', async () => {
    const { server, arrived, answer } = await startServer();
    const { closed } = open(server.url, `${HEAD}Content-Length: 5\r\n\r\nwhole`);
    await arrived;
    const closing = server.close();
    answer('!');
    expect(await closed).toMatch(/^HTTP\/1.1 200 [^]*whole!$/);
    await closing;
  });

  it('cannot be reached but on loopback', async () => {
    const { server } = await startServer();
    expect(new URL(server.url).hostname).toBe('127.0.0.1');
    await expect(serveHttp(new Hono(), Number(new URL(server.url).port))).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});
