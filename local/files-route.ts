import type { Hono } from 'hono';
import type { FileStore, OpenObject } from '../adapters/files/file-store.ts';
import { attachment, type FileLinks } from '../core/ports/file-links.ts';
import { ObjectStoreError } from '../core/ports/object-store.ts';
import { Problem } from '../http/problem.ts';

const FOLDER = '/files/';
/** Bytes that are read at once. */
const BLOCK_BYTES = 1024 ** 2;

/** Paths on this service. */
export const localLinks: FileLinks = {
  link: (key) => Promise.resolve(FOLDER + key.split('/').map(encodeURIComponent).join('/')),
};

/**
 * Serves stored files, for who follows a link. They come from anywhere: a browser saves them, and if it shows one all
 * the same, it runs nothing of it in this service's name.
 */
export function addFilesRoute(app: Hono, files: FileStore): void {
  app.on(['GET', 'HEAD'], `${FOLDER}*`, async (c) => {
    const key = keyOf(new URL(c.req.url).pathname);
    const file = key === undefined ? undefined : await files.openObject(key).catch(unlessNoKey);
    if (key === undefined || !file) throw new Problem('unknown-file', 'It was deleted, or never stored.');
    const { contentType = 'application/octet-stream', contentEncoding, bytes } = file.info;
    const range = rangeOf(c.req.header('range'), c.req.header('if-range'), bytes);
    const headers = new Headers({
      'content-type': contentType,
      'content-disposition': attachment(key),
      'content-security-policy': "sandbox; default-src 'none'",
      'accept-ranges': 'bytes',
    });
    if (contentEncoding !== undefined) headers.set('content-encoding', contentEncoding);
    if (range === 'unsatisfiable') {
      await file[Symbol.asyncDispose]();
      return new Response(null, { status: 416, headers: { 'content-range': `bytes */${bytes}` } });
    }
    const { from, to } = range ?? { from: 0, to: bytes };
    headers.set('content-length', String(to - from));
    if (range) headers.set('content-range', `bytes ${from}-${to - 1}/${bytes}`);
    const init = { status: range ? 206 : 200, headers };
    if (c.req.method === 'HEAD') {
      await file[Symbol.asyncDispose]();
      return new Response(null, init);
    }
    return new Response(streamOf(file, from, to), init);
  });
}

/** The key that a path names; `undefined` for what `localLinks` never makes. */
function keyOf(pathname: string): string | undefined {
  try {
    const segments = pathname.slice(FOLDER.length).split('/').map(decodeURIComponent);
    return segments.some((segment) => segment.includes('/')) ? undefined : segments.join('/');
  } catch {
    return undefined;
  }
}

/** For `catch`: what the store cannot keep is not there. */
function unlessNoKey(error: unknown): undefined {
  if (!(error instanceof ObjectStoreError) || error.code !== 'KEY_CONFLICT') throw error;
}

/**
 * The bytes that a request for one range wants (RFC 9110, 14.2); `undefined` for all of them: several ranges are not
 * served, and there is no validator that an If-Range could match.
 */
export function rangeOf(
  range: string | undefined,
  ifRange: string | undefined,
  bytes: number,
): { from: number; to: number } | 'unsatisfiable' | undefined {
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(range ?? '') ?? [];
  if (ifRange !== undefined || (first === '' && last === '')) return undefined;
  if (first === '')
    return Number(last) > 0 && bytes > 0 ? { from: Math.max(0, bytes - Number(last)), to: bytes } : 'unsatisfiable';
  const from = Number(first);
  if (last !== '' && Number(last) < from) return undefined;
  return from < bytes ? { from, to: last === '' ? bytes : Math.min(bytes, Number(last) + 1) } : 'unsatisfiable';
}

/** The bytes of an open file, as fast as the client takes them; closes it in every case. */
function streamOf(file: OpenObject, from: number, to: number): ReadableStream<Uint8Array> {
  return ReadableStream.from<Uint8Array>(blocksOf(file, from, to));
}

async function* blocksOf(file: OpenObject, from: number, to: number): AsyncGenerator<Buffer> {
  await using open = file;
  for (let at = from; at < to;) {
    const block = await open.read(at, Math.min(to, at + BLOCK_BYTES));
    if (block.length === 0) throw new Error('The file has become shorter.');
    at += block.length;
    yield block;
  }
}
