/**
 * A process that serves files (content.ts): `node-origin.ts BYTES DELAY_MS`, each answer after so long. Any message has it
 * say how many requests were open at once since the last one.
 */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { contentOf, fileNumber } from './content.ts';

/** What it says: first its port alone. */
export interface OriginReport {
  port: number;
  peakRequests: number;
}

const BLOCK_BYTES = 1024 ** 2;
const [bytes = 0, delayMs = 0] = process.argv.slice(2).map(Number);
let open = 0;
let peakRequests = 0;

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  peakRequests = Math.max(peakRequests, ++open);
  response.once('close', () => (open -= 1));
  const file = fileNumber(request.url?.slice(1) ?? '');
  if (file === undefined) return void response.writeHead(404).end();
  const [, from = '0', last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  const end = last === undefined || last === '' ? bytes : Math.min(bytes, Number(last) + 1);
  const headers = { etag: `"${file}"`, 'accept-ranges': 'bytes', 'content-length': end - Number(from) };
  void (delayMs > 0 ? setTimeout(delayMs) : Promise.resolve()).then(() => {
    if (request.headers.range === undefined) response.writeHead(200, headers);
    else response.writeHead(206, { ...headers, 'content-range': `bytes ${from}-${end - 1}/${bytes}` });
    if (request.method === 'HEAD') response.end();
    else return send(response, file, Number(from), end);
  });
});

async function send(response: ServerResponse, file: number, from: number, end: number): Promise<void> {
  for (let at = from; at < end && !response.destroyed; at += BLOCK_BYTES) {
    const next = Math.min(end, at + BLOCK_BYTES);
    if (next === end) response.end(contentOf(file, at, next));
    else if (!response.write(contentOf(file, at, next))) {
      await Promise.race([once(response, 'drain'), once(response, 'close')]).catch(() => undefined);
    }
  }
}

server.listen(0, '127.0.0.1', 4096);
await once(server, 'listening');
const { port } = server.address() as AddressInfo;
const say = () => {
  process.send?.({ port, peakRequests } satisfies OriginReport);
  peakRequests = open;
};
process.on('message', say);
process.on('disconnect', () => process.exit());
say();
