import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Resolver } from '../../../core/download/host-addresses.ts';
import { createBatchRig, type BatchRigOptions } from '../../helpers/batch-rig.ts';
import { startBlackHole } from '../../helpers/black-hole.ts';
import {
  createAuthority,
  createSelfSigned,
  createTrustedAuthority,
  type Authority,
  type Identity,
} from '../../helpers/certificates.ts';
import { watchClientSockets } from '../../helpers/client-sockets.ts';
import { freePort } from '../../helpers/free-port.ts';
import { file, hangUp, type Framing } from '../../helpers/origin-answers.ts';
import { expectOutcome, SIGNED, type Seen } from './play.ts';

const SECOND = 1000;

/** A resolver that knows every name at these addresses. */
const at =
  (...addresses: string[]): Resolver =>
  () =>
    Promise.resolve(addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })));
const failing =
  (code: string): Resolver =>
  () =>
    Promise.reject(Object.assign(new Error(`getaddrinfo ${code}`), { code }));

/** A server that does this to every connection. */
async function startServer(onConnection: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => onConnection(socket.on('error', () => undefined)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** A batch of one file at this address, worked to its end. */
async function run(base: string, seen: Seen, rigOptions: BatchRigOptions = {}) {
  const sockets = watchClientSockets();
  const rig = await createBatchRig(rigOptions);
  const opened = sockets.length;
  const { outcomes } = await rig.run([base + SIGNED]);
  expectOutcome({ rig, outcome: outcomes[0] }, seen);
  return { rig, outcomes, connections: sockets.length - opened };
}

const HOST = 'http://source.test';

describe('names', () => {
  test.each(['ENOTFOUND', 'ENODATA'])('name does not exist (%s): failed at once', async (error) => {
    const { rig, connections } = await run(HOST, { code: 'UNKNOWN_HOST', attempts: 1 }, { resolve: failing(error) });
    expect({ connections, lookUps: rig.lookUps }).toEqual({ connections: 0, lookUps: ['source.test'] });
  });

  test.each([
    ['times out', 'ETIMEOUT'],
    ['fails for now', 'EAI_AGAIN'],
    ['fails for now', 'ESERVFAIL'],
    ['refuses', 'EREFUSED'],
    ['is not there', 'ECONNREFUSED'],
  ])('resolver %s (%s): host parked and probed, then given up', async (_, error) => {
    const { rig } = await run(HOST, { code: 'DNS_FAILED', attempts: 6 }, { resolve: failing(error) });
    expect(rig.lookUps).toHaveLength(6);
  });

  test('resolver never answers: host parked and probed, then given up', async () => {
    const { rig } = await run(
      HOST,
      { code: 'CONNECT_TIMEOUT', attempts: 6 },
      { resolve: () => new Promise(() => undefined) },
    );
    expect(rig.clock.now() - rig.startedAt).toBeGreaterThanOrEqual(60 * SECOND);
  });

  test('resolver fails for now, and works later: done', async () => {
    let lookUps = 0;
    const resolve: Resolver = (name) => (++lookUps < 3 ? failing('EAI_AGAIN') : at('127.0.0.1'))(name);
    const rig = await createBatchRig({ resolve });
    const origin = await rig.startOrigin({ '/file.bin': file('hello') });
    const { outcomes } = await rig.run([origin.url(SIGNED, 'source.test')]);
    expectOutcome({ rig, outcome: outcomes[0] }, { stored: 'hello', attempts: 3 });
  });

  test('a parked name waits with all of its entries, which are charged nothing; no other host waits', async () => {
    const rig = await createBatchRig({
      resolve: (name) => (name === 'lost.test' ? failing('EAI_AGAIN') : at('127.0.0.1'))(name),
    });
    const origin = await rig.startOrigin({ '*': file('hello') });
    const lost = Array.from({ length: 50 }, (_, i) => origin.url(`/${i}`, 'lost.test'));
    const { outcomes, status } = await rig.run([...lost, origin.url('/a', 'found.test')], { connectionsPerHost: 4 });
    expect(status.failures).toEqual({ DNS_FAILED: 1, HOST_DOWN: 49 });
    expect(outcomes.at(-1)).toMatchObject({ state: 'done', settledAt: rig.startedAt });
    // Four at first, none of which knew of the others; one probe at a time then.
    expect(rig.lookUps.filter((name) => name === 'lost.test').length).toBeLessThanOrEqual(4 + 5);
  });

  test('a thousand entries of one host are one look-up', async () => {
    const rig = await createBatchRig();
    const origin = await rig.startOrigin({ '*': file('hello') });
    const { status } = await rig.run(Array.from({ length: 1000 }, (_, i) => origin.url(`/${i}`, 'source.test')));
    expect(status).toMatchObject({ total: 1000, done: 1000 });
    expect(rig.lookUps).toEqual(['source.test']);
  });

  test('name with public and private answers: refused', async () => {
    for (const addresses of [
      ['93.184.215.14', '10.0.0.1'],
      ['10.0.0.1', '93.184.215.14'],
      ['2606:4700::1111', '::ffff:10.0.0.1'],
    ]) {
      const { connections } = await run(HOST, { code: 'BLOCKED_ADDRESS', attempts: 1 }, { resolve: at(...addresses) });
      expect(connections).toBe(0);
    }
  });

  test('name without an address: failed at once', async () => {
    await run(HOST, { code: 'UNKNOWN_HOST', attempts: 1 }, { resolve: at() });
  });

  test('name with a dead address first: the next one is tried', async () => {
    const rig = await createBatchRig({ resolve: at('::1', '127.0.0.1') });
    const origin = await rig.startOrigin({ '/file.bin': file('hello') });
    const { outcomes } = await rig.run([origin.url(SIGNED, 'source.test')]);
    expectOutcome({ rig, outcome: outcomes[0] }, { stored: 'hello', attempts: 1 });
  });

  test('name with an address first that answers nothing: the next one is tried', async () => {
    const port = await startBlackHole();
    const rig = await createBatchRig({ resolve: at('127.0.0.1', '::1') });
    const origin = await rig.startOrigin({ '/file.bin': file('hello') }, { hostname: '::1', port });
    const { outcomes } = await rig.run([origin.url(SIGNED, 'source.test')]);
    expectOutcome({ rig, outcome: outcomes[0] }, { stored: 'hello', attempts: 1 });
  });
});

describe('connections', () => {
  test('connection refused: host parked and probed, then given up', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    expect(await run(url, { code: 'CONNECT_FAILED', attempts: 6 })).toMatchObject({ connections: 6 });
  });

  test('connection refused at every address: host parked and probed, then given up', async () => {
    const url = `http://source.test:${await freePort()}`;
    await run(url, { code: 'CONNECT_FAILED', attempts: 6 }, { resolve: at('::1', '127.0.0.1') });
  });

  test('nothing answers: host parked and probed, then given up', async () => {
    const url = `http://127.0.0.1:${await startBlackHole()}`;
    expect(await run(url, { code: 'CONNECT_TIMEOUT', attempts: 6 }, { deaf: true })).toMatchObject({ connections: 6 });
  });

  test('closes before a byte, as soon as it has accepted: retried', async () => {
    const url = `http://127.0.0.1:${await startServer((socket) => void socket.resume().end())}`;
    await run(url, { code: 'CONNECTION_LOST', attempts: 6 });
  });

  test('a kept connection closed before a byte: asked again at once, which is no attempt', async () => {
    const rig = await createBatchRig();
    const origin = await rig.startOrigin({
      '/a': file('a'),
      '/b': (visit) => (origin.log.length === 1 ? hangUp : file('b'))(visit),
    });
    const { outcomes } = await rig.run([origin.url('/a'), origin.url('/b')], { connectionsPerHost: 1 });
    expect(outcomes).toMatchObject([
      { state: 'done', attempts: 1 },
      { state: 'done', attempts: 1 },
    ]);
    expect(origin.log.map(({ paths }) => paths)).toEqual([['/a', '/b'], ['/b']]);
  });
});

describe('TLS', () => {
  type Certify = (authority: Authority) => Identity;

  test.each<[string, Certify, string, string]>([
    ['expired', ({ certify }) => certify({ validDays: [-2, -1] }), 'source.test', 'CERT_HAS_EXPIRED'],
    ['not yet valid', ({ certify }) => certify({ validDays: [1, 2] }), 'source.test', 'CERT_NOT_YET_VALID'],
    ['self-signed', () => createSelfSigned(), 'source.test', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    [
      'of an authority that nobody knows',
      () => createAuthority('Unknown authority').certify(),
      'source.test',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    ],
    [
      'of somebody who took the name of an authority',
      () => createAuthority().certify(),
      'source.test',
      'CERT_SIGNATURE_FAILURE',
    ],
    ['for another name', ({ certify }) => certify(), 'other.test', 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['for the domain above the name', ({ certify }) => certify(), 'www.source.test', 'ERR_TLS_CERT_ALTNAME_INVALID'],
    [
      'for a name, where an address is asked for',
      ({ certify }) => certify(),
      '127.0.0.1',
      'ERR_TLS_CERT_ALTNAME_INVALID',
    ],
  ])('certificate %s: failed at once', async (_, certify, hostname, why) => {
    const tls = certify(createTrustedAuthority());
    const rig = await createBatchRig();
    const origin = await rig.startOrigin({ '/file.bin': file('hello') }, { tls });
    const { outcomes } = await rig.run([origin.url(SIGNED, hostname)]);
    expectOutcome({ rig, outcome: outcomes[0] }, { code: 'TLS_FAILED', attempts: 1 });
    expect(outcomes[0]?.message).toContain(`(${why})`);
    expect(origin.requests).toEqual([]);
  });

  test('no TLS at an https URL: failed at once', async () => {
    const rig = await createBatchRig();
    const origin = await rig.startOrigin({ '/file.bin': file('hello') });
    const { outcomes } = await rig.run([`https://source.test:${origin.port}${SIGNED}`]);
    expectOutcome({ rig, outcome: outcomes[0] }, { code: 'TLS_FAILED', attempts: 1 });
  });

  test('handshake stalls: retried after the time limit', async () => {
    const url = `https://127.0.0.1:${await startServer((socket) => void socket.resume())}`;
    const { rig } = await run(url, { code: 'CONNECT_TIMEOUT', attempts: 6 }, { deaf: true });
    expect(rig.clock.now() - rig.startedAt).toBeGreaterThanOrEqual(60 * SECOND);
  });

  test('handshake cut off: host parked and probed, then given up', async () => {
    const url = `https://127.0.0.1:${await startServer((socket) => void socket.once('data', () => socket.resetAndDestroy()))}`;
    await run(url, { code: 'CONNECT_FAILED', attempts: 6 });
  });

  test.each<Framing>(['length', 'chunked'])('a certificate in order: done (%s)', async (framing) => {
    const tls = createTrustedAuthority().certify();
    const rig = await createBatchRig();
    const origin = await rig.startOrigin({ '/file.bin': file('hello', {}, framing) }, { tls });
    const { outcomes } = await rig.run([origin.url(SIGNED, 'source.test')]);
    expectOutcome({ rig, outcome: outcomes[0] }, { stored: 'hello', attempts: 1 });
  });
});
