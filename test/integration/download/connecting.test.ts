import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseNetworks } from '../../../core/download/address-guard.ts';
import { createConnections, type GetRequest } from '../../../core/download/connections.ts';
import type { Resolver } from '../../../core/download/host-addresses.ts';
import type { Response } from '../../../core/http1/connection.ts';
import { DRAIN_BYTES } from '../../../core/model/limits.ts';
import { createTrustedAuthority } from '../../helpers/certificates.ts';
import { watchClientSockets } from '../../helpers/client-sockets.ts';
import { createDownloadRig, jobFor } from '../../helpers/download.ts';
import { file, hangUp, inTurn, status } from '../../helpers/origin-answers.ts';
import { startOrigin, type Answer } from '../../helpers/origin.ts';
import { readResponse } from '../../helpers/read-response.ts';
import { until } from '../../helpers/until.ts';

const NOTHING = Buffer.alloc(0);
const NOBODY = () => undefined;

/** A request to 127.0.0.1, whose address nobody has checked. */
const requestTo = (url: string): GetRequest => ({
  url: new URL(url),
  headers: {},
  addresses: [{ address: '127.0.0.1', family: 4 }],
});

const at = (...addresses: string[]): Resolver => {
  return () => Promise.resolve(addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })));
};

describe('names', () => {
  test('a host is looked up once a minute, however many of its files are downloaded at once', async () => {
    const origin = await startOrigin({ '/a': file('a') });
    let lookUps = 0;
    const resolve: Resolver = (name) => {
      lookUps++;
      return at('127.0.0.1')(name);
    };
    const rig = createDownloadRig({ resolve });
    const downloadAll = () =>
      Promise.all(Array.from({ length: 20 }, () => rig.download(jobFor(origin.url('/a', 'source.test')))));
    await downloadAll();
    await rig.clock.advance(59_000);
    await downloadAll();
    expect(lookUps).toBe(1);
    await rig.clock.advance(2000);
    await downloadAll();
    expect(lookUps).toBe(2);
  });
});

describe('connections', () => {
  test('files of one host share a connection; closing the downloader closes it', async () => {
    const long: Answer = ({ response }) => void response.writeHead(404).end(Buffer.alloc(DRAIN_BYTES));
    const origin = await startOrigin({ '/a': file('a'), '/b': file('b'), '/404': status(404), '/long': long });
    const rig = createDownloadRig();
    await rig.download(jobFor(origin.url('/a')));
    for (const path of ['/404', '/long'])
      await expect(rig.download(jobFor(origin.url(path)))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await rig.download(jobFor(origin.url('/b')));
    expect(origin.connections).toBe(1);
    await rig.close();
    await until(() => origin.openConnections === 0);
  });

  test('of a great many hosts, only some connections are kept', async () => {
    const origin = await startOrigin({ '/a': file('a') });
    const rig = createDownloadRig();
    for (let host = 0; host < 80; host++) await rig.download(jobFor(origin.url('/a', `host-${host}.test`)));
    await until(() => origin.openConnections === 64);
    await rig.download(jobFor(origin.url('/a', 'host-79.test')));
    expect(origin.connections).toBe(80); // those used last were kept
  });

  test('a kept connection that turns out to be closed is replaced by a new one at once', async () => {
    const origin = await startOrigin({ '/a': inTurn(file('first'), hangUp, file('second')) });
    const rig = createDownloadRig();
    await rig.download(jobFor(origin.url('/a')));
    expect(await rig.download(jobFor(origin.url('/a')))).toMatchObject({ state: 'done', bytes: 6 });
    expect(origin.requests.map(({ connection }) => connection)).toEqual([1, 1, 2]);
  });

  test('where one kept connection is closed, the others to that host are not tried', async () => {
    const origin = await startOrigin({ '/a': file('a') });
    const rig = createDownloadRig();
    const download = () => rig.download(jobFor(origin.url('/a')));
    await Promise.all([download(), download(), download()]);
    expect(origin.connections).toBe(3);
    origin.on('/a', (visit) => (visit.earlier === 3 ? hangUp : file('again'))(visit));
    expect(await download()).toMatchObject({ state: 'done', bytes: 5 });
    expect(origin.requests).toHaveLength(5);
    expect(origin.requests[4]?.connection).toBe(4);
  });

  test('a new connection that breaks before the response is lost, and not replaced', async () => {
    const origin = await startOrigin({ '/a': file('a'), '/b': hangUp });
    const rig = createDownloadRig();
    await expect(rig.download(jobFor(origin.url('/b')))).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
    expect(origin.requests).toHaveLength(1);
    await rig.download(jobFor(origin.url('/a')));
    await expect(rig.download(jobFor(origin.url('/b')))).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
    expect(origin.requests).toHaveLength(4); // the kept connection, and one new one
  });

  test('what a source sends between two requests is not taken for the second response', async () => {
    const forged = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged';
    const origin = await startOrigin();
    const sockets = watchClientSockets();
    const rig = createDownloadRig();
    const visited = Promise.withResolvers<() => void>();
    origin.on('/a', (visit) => {
      visit.response.end('first');
      visited.resolve(() => void visit.socket.write(forged));
    });
    origin.on('/b', file('second'));
    await rig.download(jobFor(origin.url('/a')));
    const received = sockets[0]?.bytesRead ?? NaN;
    (await visited.promise)();
    await until(() => sockets[0]?.bytesRead === received + forged.length);
    await rig.download(jobFor(origin.url('/b')));
    expect(rig.store.objects.get('files/a')?.body.toString()).toBe('second');
  });
});

describe('TLS', () => {
  test('a file is downloaded from a host that proves its identity', async () => {
    const origin = await startOrigin({ '/a': file('secret') }, { tls: createTrustedAuthority().certify() });
    const rig = createDownloadRig();
    for (let i = 0; i < 2; i++) {
      expect(await rig.download(jobFor(origin.url('/a', 'source.test')))).toMatchObject({ state: 'done', bytes: 6 });
    }
    expect(origin.connections).toBe(1);
  });

  test('the dot at the end of a full name is no part of the identity', async () => {
    const origin = await startOrigin({ '/a': file('a') }, { tls: createTrustedAuthority().certify() });
    const stored = await createDownloadRig().download(jobFor(origin.url('/a', 'source.test.')));
    expect(stored).toMatchObject({ state: 'done' });
  });
});

test.each(['http', 'https'])(
  'over %s, what waits to be read of one body stays what it is while others come',
  async (scheme) => {
    const certificate = scheme === 'https' ? { tls: createTrustedAuthority().certify() } : {};
    const bodies = ['a', 'b'].map((letter) => Buffer.alloc(200_000, letter));
    const origin = await startOrigin(
      { '/0': file(bodies[0] ?? NOTHING), '/1': file(bodies[1] ?? NOTHING) },
      certificate,
    );
    const connections = createConnections(parseNetworks(['127.0.0.0/8']));
    onTestFinished(() => connections.close());
    const responses: Response[] = [];
    for (const path of ['/0', '/1']) {
      const { response } = connections.send(requestTo(origin.url(path, 'source.test')), NOBODY);
      responses.push(await response);
      await (await response).changed();
    }
    for (const [at, response] of responses.entries()) {
      expect((await readResponse(response)).equals(bodies[at] ?? NOTHING)).toBe(true);
    }
  },
);

test('a connection that no request has used for a while is closed by us', async () => {
  const origin = await startOrigin({ '/a': file('a') });
  const sockets = watchClientSockets();
  const connections = createConnections(parseNetworks(['127.0.0.0/8']), 1);
  onTestFinished(() => connections.close());
  const response = await connections.send(requestTo(origin.url('/a')), NOBODY).response;
  const [socket] = sockets;
  expect((await readResponse(response)).toString()).toBe('a');
  if (socket?.destroyed === false) await once(socket, 'close');
  expect(socket?.readableEnded).toBe(false); // as it would be had the source closed it
});

describe('addresses that are not public', () => {
  const blocked = { name: 'DownloadError', code: 'BLOCKED_ADDRESS' };

  test('are not reached by a name that changes its address after the check', async () => {
    const inside = await startOrigin({ '/a': file('internal') }); // at 127.0.0.1, which is not allowed here
    const sockets = watchClientSockets();
    const answers = [at('::1'), at('127.0.0.1')];
    const rig = createDownloadRig({
      allowedNetworks: ['::1/128'],
      resolve: (name) => (answers.shift() ?? at('127.0.0.1'))(name),
    });
    const job = jobFor(inside.url('/a', 'source.test'));
    await expect(rig.download(job)).rejects.toMatchObject({ code: 'CONNECT_FAILED' }); // nobody listens there
    await rig.clock.advance(60_000);
    await expect(rig.download(job)).rejects.toMatchObject(blocked);
    expect(sockets).toHaveLength(1);
    expect(inside.connections).toBe(0);
  });

  test('are not sent a byte even if a connection to them is made', async () => {
    const origin = await startOrigin({ '/a': file('a') });
    const connections = createConnections([]);
    onTestFinished(() => connections.close());
    for (const url of [origin.url('/a'), origin.url('/a', 'source.test')]) {
      await expect(connections.send(requestTo(url), NOBODY).response).rejects.toMatchObject(blocked);
    }
    expect(origin.requests).toEqual([]);
  });

  test('are not sent the beginning of a handshake either', async () => {
    let bytes = 0;
    const server = createServer((socket) => socket.on('error', NOBODY).on('data', (data) => (bytes += data.length)));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const connections = createConnections([]);
    const { port } = server.address() as AddressInfo;
    const { response } = connections.send(requestTo(`https://source.test:${port}/a`), NOBODY);
    await expect(response).rejects.toMatchObject(blocked);
    await connections.close();
    await until(async () => (await promisify(server.getConnections.bind(server))()) === 0);
    expect(bytes).toBe(0);
  });

  test('can be allowed by network', async () => {
    const origin = await startOrigin({ '/a': file('a') });
    const rig = createDownloadRig({ allowedNetworks: ['127.0.0.0/8', 'fd00::/8'] });
    expect(await rig.download(jobFor(origin.url('/a')))).toMatchObject({ state: 'done' });
  });
});
