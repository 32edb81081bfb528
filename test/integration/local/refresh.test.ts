import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import type { StatusDocument } from '../../../http/documents.ts';
import { startService } from '../../helpers/service.ts';
import { fileBody } from './file-origin.ts';

const FILES = 1000;

/** A server of numbered files with validators, some of them weak, some dates; counts what it answers. */
async function startOrigin(): Promise<{ url: string; answers: { bodies: number; unchanged: number } }> {
  const answers = { bodies: 0, unchanged: 0 };
  const server = createServer(({ url = '', headers }, response) => {
    const n = Number(/^\/(\d+)\.bin$/.exec(url)?.[1]);
    const etag = `${n % 3 === 1 ? 'W/' : ''}"${n}"`;
    const date = new Date(Date.UTC(2026, 0, 1, 0, 0, n)).toUTCString();
    response.setHeaders(new Map([n % 3 === 2 ? ['Last-Modified', date] : ['ETag', etag]]));
    if (headers['if-none-match'] === etag || headers['if-modified-since'] === date) {
      answers.unchanged += 1;
      response.writeHead(304).end();
    } else {
      answers.bodies += 1;
      response.end(fileBody(n));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, answers };
}

test('a second run of an unchanged batch of 1,000 files with refresh moves no bodies', async () => {
  const origin = await startOrigin();
  const service = await startService();
  const urls = Array.from({ length: FILES }, (_, n) => `${origin.url}/${n}.bin`);
  const run = async (): Promise<StatusDocument> => {
    const answer = await fetch(`${service.url}/batches`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ urls, options: { prefix: 'mirror/', ifExists: 'refresh' } }),
    });
    expect(answer.status).toBe(202);
    let status = (await answer.json()) as StatusDocument;
    while (status.finishedAt === undefined) {
      await setTimeout(50); // asking without a pause would take the time of what is asked about
      status = (await (await fetch(`${service.url}/batches/${status.id}`)).json()) as StatusDocument;
    }
    return status;
  };

  expect(await run()).toMatchObject({ done: FILES, skipped: 0, failed: 0 });
  expect(origin.answers).toEqual({ bodies: FILES, unchanged: 0 });
  expect(await run()).toMatchObject({ done: 0, skipped: FILES, failed: 0, bytes: 0 });
  expect(origin.answers).toEqual({ bodies: FILES, unchanged: FILES });
});
