/** A process that serves tiny files, as many hosts as are said: a port each. It tells what it was asked for. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What an origin says first, and whenever it is sent anything. */
export interface OriginReport {
  ports: number[];
  /** Requests so far, and those that are not answered. */
  requests: number;
  open: number;
}

let requests = 0;
let open = 0;
const ports: number[] = [];

for (let host = 0; host < Number(process.argv[2]); host++) {
  const server = createServer((request, response) => {
    requests += 1;
    open += 1;
    response.once('close', () => (open -= 1));
    response.end(`This is ${request.url}.\n`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ports.push((server.address() as AddressInfo).port);
}

const report = () => process.send?.({ ports, requests, open } satisfies OriginReport);
process.on('message', report);
process.on('disconnect', () => process.exit());
report();
