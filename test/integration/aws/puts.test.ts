import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createClients } from '../../../adapters/aws/clients.ts';
import { createPutSender } from '../../../adapters/aws/put-sender.ts';
import { createS3Store } from '../../../adapters/aws/s3-store.ts';
import { createWire, SLOW_DOWN } from '../../helpers/aws-wire.ts';
import { watchClientSockets } from '../../helpers/client-sockets.ts';
import { until } from '../../helpers/until.ts';

const MIB = 1024 ** 2;

/** An endpoint that answers as told, and whose own connections can be closed. */
async function startEndpoint(answer: RequestListener) {
  const sockets: Socket[] = [];
  const server = createServer(answer);
  server.on('connection', (socket) => sockets.push(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { sockets, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** The store of a bucket there, and what goes over the wire for it. */
async function startStore(answer: RequestListener) {
  const { sockets, url } = await startEndpoint(answer);
  vi.stubEnv('AWS_REGION', 'eu-central-1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
  vi.stubEnv('AWS_ENDPOINT_URL_S3', url);
  vi.spyOn(Math, 'random').mockReturnValue(0); // no pause
  const wire = createWire();
  const { s3, puts } = wire.attach(createClients());
  onTestFinished(() => {
    puts.destroy();
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
  });
  return { sockets, wire, store: createS3Store({ client: s3, puts, bucket: 'bucket' }) };
}

/** Reads a body to its end, then answers. */
const stored: RequestListener = (request, response) => {
  request.resume().on('end', () => response.writeHead(200, { etag: '"e"', 'content-length': 0 }).end());
};

test('objects, and parts of others, go over one connection, one after the other', async () => {
  const { store, sockets } = await startStore(stored);
  for (const key of ['a', 'b']) await store.put(key, Buffer.from(key));
  const part = await store.putPart('c', 'id', 1, Buffer.alloc(MIB));
  expect(part).toMatchObject({ number: 1, etag: '"e"', bytes: MIB });
  expect(sockets).toHaveLength(1);
});

test('a kept connection that S3 has closed costs an object no attempt', async () => {
  const { store, sockets, wire } = await startStore((request, response) => {
    // The second request on a connection finds it closed.
    if (request.socket.bytesWritten > 0) request.socket.destroy();
    else stored(request, response);
  });
  for (const key of ['a', 'b']) await store.put(key, Buffer.from(key));
  expect(wire.calls.map(({ attempts }) => attempts.length)).toEqual([1, 1]);
  expect(sockets).toHaveLength(2);
});

test('a new connection that breaks costs one', async () => {
  const { store, wire } = await startStore((request, response) => {
    if (wire.calls[0]?.attempts.length === 1) request.socket.destroy();
    else stored(request, response);
  });
  await store.put('a', Buffer.from('a'));
  expect(wire.calls.map(({ attempts }) => attempts.length)).toEqual([2]);
});

test('a refusal that comes before all of a part was sent is heard, and the part sent again', async () => {
  let requests = 0;
  const { store, wire } = await startStore((request, response) => {
    requests += 1;
    if (requests > 1) stored(request, response);
    else {
      request.socket.pause();
      response.writeHead(503, { 'content-length': SLOW_DOWN.body.length }).end(SLOW_DOWN.body);
    }
  });
  await store.putPart('a', 'id', 1, Buffer.alloc(16 * MIB));
  expect(wire.calls.map(({ attempts }) => attempts.map(({ landed }) => landed))).toEqual([[false, true]]);
});

test('what is given up is cut short', async () => {
  const controller = new AbortController();
  const { store } = await startStore(() => controller.abort(new Error('given up')));
  const sockets = watchClientSockets();
  const { signal } = controller;
  await expect(store.put('a', Buffer.alloc(16 * MIB), { signal })).rejects.toThrow('given up');
  expect(sockets.map(({ destroyed }) => destroyed)).toEqual([true]);
});

test('no more connections are opened than there may be; who waits for one can be given up', async () => {
  const answers: (() => void)[] = [];
  const { url, sockets } = await startEndpoint((request, response) => {
    answers.push(() => stored(request, response));
  });
  const limits = { sockets: 2, connectMs: 60_000, requestMs: 60_000, idleMs: 60_000 };
  const { send, destroy } = createPutSender(limits);
  onTestFinished(destroy);
  const headers = { host: 'x', 'content-length': '1' };
  const put = (signal?: AbortSignal) =>
    send({ url: new URL(url), target: '/a', headers, body: Buffer.from('x') }, signal);
  const controller = new AbortController();
  const all = [put(), put(), put(controller.signal), put(), put()];
  await until(() => answers.length === 2);
  controller.abort();
  await expect(all[2]).rejects.toMatchObject({ name: 'AbortError' });
  for (let answered = 0; answered < 4; answered += 1) {
    await until(() => answers.length > answered);
    answers[answered]?.();
  }
  const statuses = await Promise.all(all.filter((_, i) => i !== 2));
  expect(statuses.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  expect(sockets).toHaveLength(2);
});
