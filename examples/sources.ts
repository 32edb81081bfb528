import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { glob, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { BIG_FILE, bigFile } from './big-file.ts';

/** Something to be downloaded, and what must become of it. */
export type Source = { url: string } & (
  { expected: 'done'; sha256: () => Promise<string> } | { expected: 'failed'; codes: readonly string[]; story: string }
);

export interface Sources {
  all: Source[];
  close(): Promise<void>;
}

const FILES = 1200;
const MAX_FILE_BYTES = 1_000_000;

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

/** Starts two HTTP servers on loopback: one with the files, one with everything that goes wrong. */
export async function startSources(packagesFolder: string): Promise<Sources> {
  const handlers = new Map<string, Handler>();
  const answer: Handler = (request, response) => handlers.get(request.url ?? '')?.(request, response);
  const library = await listen(answer);
  const trouble = await listen(answer);
  const nobody = await listen(answer);
  await nobody.close();

  const all: Source[] = [];
  const add = (source: Source, handler: Handler) => {
    handlers.set(new URL(source.url).pathname, handler);
    all.push(source);
  };

  for (const path of await someFiles(packagesFolder)) {
    const url = `${library.url}/${path.split('/').map(encodeURIComponent).join('/')}`;
    const file = join(packagesFolder, path);
    add({ url, expected: 'done', sha256: () => sha256(file) }, (_, response) => sendFile(file, response));
  }

  const recovers = (path: string, ...faults: Handler[]) => {
    const text = `what ${path} says once it has recovered\n`.repeat(1000);
    const digest = createHash('sha256').update(text).digest('hex');
    add({ url: trouble.url + path, expected: 'done', sha256: () => Promise.resolve(digest) }, (request, response) => {
      const fault = faults.shift();
      return fault ? fault(request, response) : response.end(text);
    });
  };
  recovers('/busy.txt', status(503, { 'retry-after': '1' }));
  recovers('/flaky.txt', status(500), status(500));
  recovers('/resetting.txt', breakOff);

  const fails = (url: string, codes: string[], story: string, handler: Handler) =>
    add({ url, expected: 'failed', codes, story }, handler);
  fails(`${trouble.url}/missing.txt`, ['NOT_FOUND'], 'was never there', status(404));
  fails(`${trouble.url}/cut-short.bin`, ['TRUNCATED', 'CONNECTION_LOST'], 'always breaks off', breakOff);
  fails(`${trouble.url}/round`, ['REDIRECT_LOOP'], 'leads back to itself', status(302, { location: '/and-round' }));
  handlers.set('/and-round', status(302, { location: '/round' }));
  fails(`${nobody.url}/`, ['CONNECT_FAILED', 'HOST_DOWN'], 'nobody listens there', status(404));

  // Last in the list, so that the others do not wait for it.
  add({ url: `${library.url}/big.bin`, expected: 'done', sha256: () => Promise.resolve(BIG_FILE.sha256) }, sendBigFile);

  return {
    all,
    async close() {
      await Promise.all([library.close(), trouble.close()]);
    },
  };
}

function status(code: number, headers: Record<string, string> = {}): Handler {
  return (_, response) => response.writeHead(code, headers).end();
}

/** Promises more bytes than it sends, and hangs up. */
const breakOff: Handler = (_, response) => {
  response.writeHead(200, { 'content-length': 100_000 });
  response.write(Buffer.alloc(50_000), () => response.destroy());
};

async function sendFile(file: string, response: ServerResponse): Promise<void> {
  const { size } = await stat(file);
  response.writeHead(200, { 'content-length': size });
  // A client that hangs up is its own affair.
  await pipeline(createReadStream(file), response).catch(() => undefined);
}

const sendBigFile: Handler = async (_, response) => {
  response.writeHead(200, { 'content-length': BIG_FILE.bytes });
  await pipeline(Readable.from(bigFile()), response).catch(() => undefined);
};

/** Paths of real files below a folder, relative to it, the same ones every time. */
async function someFiles(folder: string): Promise<string[]> {
  const files: string[] = [];
  const paths = await Array.fromAsync(glob('**/*.{js,mjs,cjs,ts,json,md,map}', { cwd: folder }));
  for (const path of paths.sort()) {
    const info = await stat(join(folder, path));
    if (info.isFile() && info.size <= MAX_FILE_BYTES) files.push(path);
    if (files.length === FILES) return files;
  }
  throw new Error(`There are only ${files.length} files below ${folder}; run npm ci first.`);
}

/** The digest of a file, as lower-case hex. */
export async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

async function listen(handler: Handler): Promise<{ url: string; close: () => Promise<void> }> {
  const server: Server = createServer((request, response) => void handler(request, response));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
