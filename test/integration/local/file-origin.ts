import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** A server of small numbered files, `/0.bin`, `/1.bin` and so on, whose answers can be held back. */
export interface FileOrigin {
  url: string;
  /** The URL of file `n`. */
  file: (n: number) => string;
  /** Requests received so far. */
  requests: () => number;
  /** From now on, answers this many more requests and holds the others. */
  holdAfter: (answers: number) => void;
  /** Answers all held requests, and every one that comes. */
  release: () => void;
}

/** The bytes of file `n`; some files are empty. */
export function fileBody(n: number): Buffer {
  return Buffer.from(`file ${n}\n`.repeat((n * 7919) % 1000));
}

export function fileSha256(n: number): string {
  return createHash('sha256').update(fileBody(n)).digest('hex');
}

/** Starts the server; it ends with the running test. */
export async function startFileOrigin(): Promise<FileOrigin> {
  let requests = 0;
  let left = Infinity;
  let held: (() => void)[] = [];

  const server = createServer((request, response) => {
    requests += 1;
    const n = /^\/(\d+)\.bin/.exec(request.url ?? '')?.[1];
    const answer = () => {
      if (n === undefined) response.writeHead(404).end();
      else response.end(fileBody(Number(n)));
    };
    left -= 1;
    if (left >= 0) answer();
    else held.push(answer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });

  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    file: (n) => `${url}/${n}.bin`,
    requests: () => requests,
    holdAfter(answers) {
      left = answers;
    },
    release() {
      left = Infinity;
      for (const answer of held) answer();
      held = [];
    },
  };
}
