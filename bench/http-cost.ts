import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { connect, createServer, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { createBlocks } from '../core/http1/blocks.ts';
import { createConnection } from '../core/http1/connection.ts';

/**
 * What a GET of 20 KiB over a connection that stays open costs of the processor's time, by our client and by those that Node
 * brings: `node bench/http-cost.ts`. The source is another process and takes no part in the figures.
 */

const GETS = 20_000;
const CONNECTIONS = 8;
const BODY_BYTES = 20 * 1024;
const ROUNDS = 3;

/** Makes a client that has one connection, and answers how many bytes came. */
type Client = (port: number) => () => Promise<number>;

const CLIENTS: Readonly<Record<string, Client>> = {
  Downburst(port) {
    const connection = createConnection({
      origin: `http://127.0.0.1:${port}`,
      open: (onread) => connect({ host: '127.0.0.1', port, onread }),
      openEvent: 'connect',
      blocks: createBlocks(64 * 1024),
      maxHeaderBytes: 64 * 1024,
      freed: () => undefined,
      lost: () => undefined,
    });
    return async () => {
      const response = await connection.send('GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n', () => undefined);
      for (let bytes = 0; ;) {
        const piece = response.read();
        if (piece) bytes += piece.length;
        else if (response.hasEnded()) return bytes;
        else await response.changed();
      }
    };
  },
  'node:http'(port) {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    return () =>
      new Promise((resolve, reject) => {
        get({ agent, port, host: '127.0.0.1' }, (response) => {
          let bytes = 0;
          response.on('data', (piece: Buffer) => (bytes += piece.length));
          response.on('end', () => resolve(bytes));
        }).on('error', reject);
      });
  },
  fetch: (port) => async () => {
    const response = await fetch(`http://127.0.0.1:${port}/`);
    return (await response.bytes()).length;
  },
};

/** Microseconds of user and system time per GET. */
async function costOf(client: Client, port: number): Promise<number> {
  let left = GETS;
  const before = process.cpuUsage();
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      const ask = client(port);
      while (left-- > 0) if ((await ask()) !== BODY_BYTES) throw new Error('The body is not whole.');
    }),
  );
  const { user, system } = process.cpuUsage(before);
  return (user + system) / GETS;
}

/** Answers each packet with one body: requests are small, and never sent before the answer to the last. */
async function serve(): Promise<void> {
  const head = `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nETag: "1"\r\nContent-Length: ${BODY_BYTES}\r\n\r\n`;
  const answer = Buffer.concat([Buffer.from(head), Buffer.alloc(BODY_BYTES)]);
  const server = createServer((socket) => socket.on('error', () => undefined).on('data', () => socket.write(answer)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.send?.((server.address() as AddressInfo).port);
  process.on('disconnect', () => process.exit());
}

if (process.send) await serve();
else {
  const source = fork(fileURLToPath(import.meta.url));
  const [port] = (await once(source, 'message')) as [number];
  for (const [name, client] of Object.entries(CLIENTS)) {
    const costs: number[] = [];
    for (let round = 0; round < ROUNDS; round++) costs.push(await costOf(client, port));
    console.log(`${name.padEnd(12)}${costs.map((cost) => cost.toFixed(0).padStart(5)).join('')} µs a GET`);
  }
  source.kill();
  process.exit();
}
