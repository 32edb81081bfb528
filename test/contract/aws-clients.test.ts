import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { GetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createClients, type AwsClients } from '../../adapters/aws/clients.ts';
import { FENCE_MS } from '../../core/model/limits.ts';
import { startBlackHole } from '../helpers/black-hole.ts';

const MINUTE = 60_000;

/** Clients of services that are all at one port of this machine, whose timers are driven. */
function clientsOf(port: number): AwsClients {
  vi.stubEnv('AWS_REGION', 'eu-central-1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
  vi.stubEnv('AWS_ENDPOINT_URL', `http://127.0.0.1:${port}`);
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
  const clients = createClients();
  onTestFinished(() => {
    for (const client of Object.values(clients) as AwsClients['s3'][]) client.destroy();
    vi.useRealTimers();
    vi.unstubAllEnvs();
  });
  return clients;
}

/** A server that takes connections and never says a word. */
async function startSilence(): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    socket.resume();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** How long a call takes to fail, in milliseconds of its timers. */
async function timeToFail(call: Promise<unknown>): Promise<number> {
  let failed: unknown;
  call.catch((error: unknown) => (failed = error));
  let ms = 0;
  while (failed === undefined) {
    await new Promise((resolve) => setImmediate(resolve));
    await vi.advanceTimersByTimeAsync(50);
    ms += 50;
  }
  expect(failed).toMatchObject({ name: 'TimeoutError' });
  return ms;
}

const calls = {
  'a record': ({ dynamo }: AwsClients) =>
    dynamo.send(new GetItemCommand({ TableName: 'table', Key: { pk: { S: 'a' }, sk: { S: 'b' } } })),
  'a queue': ({ sqs }: AwsClients, port: number) =>
    sqs.send(new GetQueueAttributesCommand({ QueueUrl: `http://127.0.0.1:${port}/0/queue` })),
  'an object': ({ s3 }: AwsClients) => s3.send(new GetObjectCommand({ Bucket: 'bucket', Key: 'k' })),
  'a PUT': ({ puts }: AwsClients) =>
    puts.send({ Bucket: 'bucket', Key: 'k', Body: Buffer.alloc(8 * 1024 ** 2), ChecksumCRC32: 'AAAAAA==' }),
  'an upload': ({ s3 }: AwsClients) =>
    s3.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'k', Body: Buffer.alloc(8 * 1024 ** 2) })),
};

test.each(Object.entries(calls))('a service that never answers does not hold a call for %s', async (_name, call) => {
  const port = await startSilence();
  expect(await timeToFail(call(clientsOf(port), port))).toBeLessThan(2 * MINUTE);
});

test('a service that cannot be reached does not hold a call', async () => {
  const port = await startBlackHole();
  expect(await timeToFail(calls['a record'](clientsOf(port)))).toBeLessThan(FENCE_MS);
});

test('a write to the ledger is over, with all its repetitions, within what a lease keeps in reserve', async () => {
  const port = await startSilence();
  expect(await timeToFail(calls['a record'](clientsOf(port)))).toBeLessThan(FENCE_MS);
});

test('no client copies its answers for a log that nobody keeps', () => {
  const clients = Object.values(clientsOf(1)) as AwsClients['s3'][];
  for (const { middlewareStack } of clients) expect(middlewareStack.identify().join('\n')).not.toMatch(/log/i);
});
