import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, LookupFunction, Server } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import type { Response } from '../../../core/http1/connection.ts';
import { createPool, type Target } from '../../../core/http1/pool.ts';
import { requestHead } from '../../../core/http1/request.ts';
import { createTrustedAuthority } from '../../helpers/certificates.ts';
import { readResponse } from '../../helpers/read-response.ts';

const NAME = 'server.test';
const AT_LOOPBACK: LookupFunction = (_name, _options, callback) =>
  callback(null, [{ address: '127.0.0.1', family: 4 }]);

/** A server, and a client that puts bodies there over what `pool` keeps. */
async function start(isSecure: boolean, answer: RequestListener) {
  const server: Server = isSecure
    ? createTlsServer(createTrustedAuthority().certify({ name: NAME }), answer)
    : createServer(answer);
  let connections = 0;
  server.on(isSecure ? 'secureConnection' : 'connection', () => (connections += 1));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const pool = createPool<Target>({ maxIdle: 4, idleMs: 60_000, lookupOf: () => AT_LOOPBACK });
  onTestFinished(async () => {
    await pool.close();
    server.close();
  });
  const url = new URL(`http${isSecure ? 's' : ''}://${NAME}:${(server.address() as AddressInfo).port}`);
  return {
    connections: () => connections,
    put: (body: Buffer, progressed: () => void = () => undefined) => {
      const head = requestHead('PUT', '/a', { host: url.host, 'content-length': String(body.length) });
      return pool.send({ url }, head, progressed, body);
    },
  };
}

const read = async (response: Response) => (await readResponse(response)).toString();

test.each([
  ['http', false],
  ['https', true],
])('over %s, bodies of any size come whole, over one connection', async (_, isSecure) => {
  const bodies = [0, 1, 256 * 1024, 3_000_000].map((bytes) => Buffer.alloc(bytes, `${bytes}.`));
  const received: Buffer[] = [];
  const { put, connections } = await start(isSecure, (request, response) => {
    void buffer(request).then((body) => {
      received.push(body);
      response.end(String(body.length));
    });
  });
  for (const body of bodies) {
    let progress = 0;
    const { response } = put(body, () => (progress += 1));
    expect(await read(await response)).toBe(String(body.length));
    // The connection is open, and then each piece that was handed over.
    expect(progress).toBe(1 + Math.max(1, Math.ceil(body.length / (256 * 1024))));
  }
  expect(received.map((body, i) => body.equals(bodies[i] ?? body))).toEqual([true, true, true, true]);
  expect(connections()).toBe(1);
});

test('where a server answers before it has had the body, the answer counts, and the connection is closed', async () => {
  const closed = Promise.withResolvers<undefined>();
  const { put, connections } = await start(false, (request, response) => {
    // It reads nothing of what is more than its socket's buffer holds.
    request.socket.on('close', () => closed.resolve(undefined));
    response.writeHead(503, { 'content-length': 4 }).end('busy');
    request.socket.pause();
  });
  const response = await put(Buffer.alloc(16 * 1024 ** 2)).response;
  expect(response.status).toBe(503);
  expect(await read(response)).toBe('busy');
  await closed.promise;
  const next = put(Buffer.from('x'));
  expect(next.isReused).toBe(false);
  expect((await next.response).status).toBe(503);
  expect(connections()).toBe(2);
});
