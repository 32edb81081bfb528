import { createHash, hash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { get as httpGet, type IncomingMessage } from 'node:http';
import { get as httpsGet } from 'node:https';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Tree } from '../adapters/files/tree.ts';
import type { FileDocument } from '../http/documents.ts';

/** Nothing comes for so long: the connection is dead. */
const IDLE_MS = 60_000;

export interface PullFileOptions {
  tree: Tree;
  /** Where files lie until they are whole. */
  partsFolder: string;
  signal: AbortSignal;
}

/** What a link led to is not the file of the batch, or not all of it. */
export class PullError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'PullError';
  }
}

/** Whether the folder has a file of a batch already: by its length, and by its digest where that is known. */
export async function isThere(tree: Tree, { key, bytes, sha256 }: FileDocument): Promise<boolean> {
  const path = tree.place(key);
  const found = await tree.file(path);
  if (!found || (bytes !== undefined && Number(found.size) !== bytes)) return false;
  if (sha256 === undefined) return bytes !== undefined;
  return (await digestOf(path)).digest('hex') === sha256;
}

/**
 * Gets one file by its link and moves it to its key once its length and digest are right. What an earlier attempt left
 * is gone on with only where there is a digest that proves the whole.
 *
 * @throws PullError; errors of the network and the disk; the signal's reason
 */
export async function pullFile(file: FileDocument, link: string, options: PullFileOptions): Promise<void> {
  const { tree, partsFolder, signal } = options;
  const { key, bytes, sha256 } = file;
  const path = tree.place(key);
  await mkdir(partsFolder, { recursive: true });
  const part = join(partsFolder, `${hash('sha256', key)}.part`);

  const had = sha256 === undefined ? 0 : await sizeOf(part);
  const answer = await openLink(link, had > 0 && had < (bytes ?? Infinity) ? { range: `bytes=${had}-` } : {}, signal);
  const from = answer.statusCode === 206 ? had : 0;
  const digest = from > 0 ? await digestOf(part) : createHash('sha256');
  const written = await write(answer, part, from, digest, signal);

  const wrong =
    bytes !== undefined && written !== bytes
      ? `has ${written} bytes instead of ${bytes}`
      : sha256 !== undefined && digest.digest('hex') !== sha256 && 'has another SHA-256 than the batch stored';
  if (wrong) {
    // Too short may be the connection's fault, and can be gone on with.
    if (bytes === undefined || written >= bytes) await rm(part, { force: true });
    throw new PullError(wrong);
  }
  await tree.makeRoom(path);
  await rename(part, path);
}

/** Answers the file's length. */
async function write(
  body: IncomingMessage,
  part: string,
  from: number,
  digest: Hash,
  signal: AbortSignal,
): Promise<number> {
  const handle = await open(part, from > 0 ? 'r+' : 'w');
  try {
    let at = from;
    await pipeline(
      body,
      async (pieces: AsyncIterable<Buffer>) => {
        for await (const piece of pieces) {
          digest.update(piece);
          for (let done = 0; done < piece.length;) {
            done += (await handle.write(piece, done, piece.length - done, at + done)).bytesWritten;
          }
          at += piece.length;
        }
      },
      { signal },
    );
    await handle.truncate(at);
    await handle.datasync();
    return at;
  } finally {
    await handle.close();
  }
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

async function digestOf(path: string): Promise<Hash> {
  const digest = createHash('sha256');
  for await (const piece of createReadStream(path)) digest.update(piece as Buffer);
  return digest;
}

/** By `node:http`, since `fetch` unpacks what is stored in gzip: bytes are pulled as they are stored. */
function openLink(link: string, headers: Record<string, string>, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const get = link.startsWith('https:') ? httpsGet : httpGet;
    const request = get(link, { headers, signal, timeout: IDLE_MS }, (answer) => {
      if (answer.statusCode === 200 || answer.statusCode === 206) {
        resolve(answer);
        return;
      }
      answer.resume();
      reject(new PullError(`the store answered ${answer.statusCode}`));
    });
    request.on('error', reject).on('timeout', () => request.destroy(new PullError('nothing comes any more')));
  });
}
