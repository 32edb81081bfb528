import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import type { StatusDocument } from '../../../http/documents.ts';
import { startServiceProcess } from '../../helpers/service.ts';
import { tempFolder } from '../../helpers/temp-folder.ts';

const CONNECTIONS_PER_HOST = 12;
const FILES = 300;
const REDIRECTS = 60;
/** How long the counted source takes for an answer: long enough for requests to meet. */
const LATENCY_MS = 5;

test('no more than connectionsPerHost requests are ever open, over workers, with redirects and a dead neighbour', async () => {
  let open = 0;
  let most = 0;
  let redirected = 0;
  const counted = await serve((request, response) => {
    open += 1;
    most = Math.max(most, open);
    if (request.url?.startsWith('/from-elsewhere/') === true) redirected += 1;
    void setTimeout(LATENCY_MS).then(() => {
      open -= 1;
      response.end('a file');
    });
  });
  const redirecting = await serve((request, response) => {
    response.writeHead(302, { location: `${counted}/from-elsewhere${request.url ?? ''}` }).end();
  });
  const dead = await serve(() => undefined);
  await closed.get(dead)?.();

  const service = await startServiceProcess(await tempFolder(), '--workers', '2');
  const urls = [
    ...Array.from({ length: FILES }, (_, n) => `${counted}/${n}.bin`),
    ...Array.from({ length: REDIRECTS }, (_, n) => `${redirecting}/${n}.bin`),
    ...Array.from({ length: 20 }, (_, n) => `${dead}/${n}.bin`),
  ];
  const options = { connectionsPerHost: CONNECTIONS_PER_HOST, maxAttempts: 2 };
  const answer = await fetch(`${service.url}/batches`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ urls, options }),
  });
  const { id } = (await answer.json()) as StatusDocument;

  let status: StatusDocument;
  do {
    await setTimeout(50);
    status = (await (await fetch(`${service.url}/batches/${id}`)).json()) as StatusDocument;
  } while (status.finishedAt === undefined);

  // Two shards for the counted host and one for the rest, or the test shows nothing.
  expect(status).toMatchObject({ done: FILES + REDIRECTS, failed: 20, shards: { total: 3 } });
  expect(redirected).toBe(REDIRECTS);
  expect(most).toBeGreaterThan(CONNECTIONS_PER_HOST / 2);
  expect(most).toBeLessThanOrEqual(CONNECTIONS_PER_HOST);
});

const closed = new Map<string, () => Promise<void>>();

/** Starts a server on loopback; answers its URL. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  closed.set(url, close);
  onTestFinished(close);
  return url;
}
