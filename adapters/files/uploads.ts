import { randomUUID } from 'node:crypto';
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ObjectStoreError, type ObjectHeaders, type Part, type UploadOptions } from '../../core/ports/object-store.ts';
import { syncBytes, writeAll, writeDirect } from './disk.ts';
import { codeOf, unless } from './errors.ts';

/**
 * Uploads in parts. Each is a folder aside: the object's bytes so far, every part at its place; what was asked for; and
 * a log of the parts, a line when one begins to be written and a line when it is whole. Nothing is kept in memory, so
 * whoever knows an upload's id can go on with it. What a power cut takes of log or request is missed, never mistaken.
 */
export interface Uploads {
  create(key: string, options: UploadOptions): string;
  /** Writes one part; two writers of the same part at once would mix their bytes. */
  putPart(key: string, uploadId: string, number: number, body: Buffer, signal?: AbortSignal): Promise<Part>;
  /** Checks the parts and answers the file that they make, synced, and its headers. */
  assemble(key: string, uploadId: string, parts: readonly Part[]): Promise<{ path: string; headers: ObjectHeaders }>;
  remove(uploadId: string): Promise<void>;
}

interface Request {
  key: string;
  partBytes: number;
  headers: ObjectHeaders;
}

const UPLOAD_ID = /^upload-[0-9a-f-]{36}$/;

/** @param durable whether there is a disk to sync to */
export function createUploads(folder: string, durable: boolean): Uploads {
  function find(key: string, uploadId: string) {
    const base = join(folder, uploadId);
    const request = UPLOAD_ID.test(uploadId) ? readRequest(join(base, 'request.json')) : undefined;
    if (request?.key !== key) throw new ObjectStoreError('UPLOAD_LOST', 'there is no such upload of this key');
    return { request, body: join(base, 'body'), log: join(base, 'parts.log') };
  }

  return {
    create(key, { partBytes, contentType, contentEncoding, metadata }) {
      const uploadId = `upload-${randomUUID()}`;
      const base = join(folder, uploadId);
      const request: Request = { key, partBytes, headers: { contentType, contentEncoding, metadata } };
      mkdirSync(base);
      writeFileSync(join(base, 'body'), '');
      writeFileSync(join(base, 'request.json'), JSON.stringify(request));
      return uploadId;
    },

    async putPart(key, uploadId, number, body, signal) {
      const upload = find(key, uploadId);
      if (!Number.isInteger(number) || number < 1) throw new RangeError('parts are numbered from 1');
      if (body.length > upload.request.partBytes) throw new RangeError('the part is larger than partBytes');
      const part = { number, etag: randomUUID(), bytes: body.length };
      using log = openFile(upload.log, 'a');
      using file = openFile(upload.body, 'r+');
      signal?.throwIfAborted();
      // From here on the part that was there before, if any, is no longer whole.
      writeSync(log.fd, `\n${JSON.stringify({ number })}`);
      const position = (number - 1) * upload.request.partBytes;
      const direct = durable ? await writeDirect(upload.body, body, position) : 0;
      await writeAll(file.fd, body.subarray(direct), position + direct);
      // A checkpoint may name the part from now on: its line must not outlive a power cut that its bytes do not.
      if (durable) await syncBytes(file.fd);
      writeSync(log.fd, `\n${JSON.stringify(part)}`);
      return part;
    },

    async assemble(key, uploadId, parts) {
      const upload = find(key, uploadId);
      const stored = readLog(await readFile(upload.log, 'utf8').catch(unless(['ENOENT'], '')));
      const ordered = parts.toSorted((a, b) => a.number - b.number);
      let bytes = 0;
      for (const [at, { number, etag }] of ordered.entries()) {
        const part = stored.get(number);
        const isLast = at === ordered.length - 1;
        const partBytes = part?.etag === etag ? part.bytes : undefined;
        if (number !== at + 1 || partBytes === undefined || (!isLast && partBytes !== upload.request.partBytes)) {
          throw new ObjectStoreError('UPLOAD_LOST', `part ${at + 1} of the upload is not there`);
        }
        bytes += partBytes;
      }
      using file = openFile(upload.body, 'r+');
      ftruncateSync(file.fd, bytes);
      if (durable) await syncBytes(file.fd);
      return { path: upload.body, headers: upload.request.headers };
    },

    async remove(uploadId) {
      if (UPLOAD_ID.test(uploadId)) await rm(join(folder, uploadId), { recursive: true, force: true });
    },
  };
}

function readRequest(path: string): Request | undefined {
  try {
    return parseJson(readFileSync(path, 'utf8')) as Request | undefined;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Opens a file of an upload, which may be gone between two looks: it was completed or aborted. */
function openFile(path: string, flags: string): Disposable & { fd: number } {
  try {
    const fd = openSync(path, flags);
    return { fd, [Symbol.dispose]: () => closeSync(fd) };
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    throw new ObjectStoreError('UPLOAD_LOST', 'the upload is gone', { cause: error });
  }
}

/** What each part's newest line says of it. A torn line is one whose `putPart` failed. */
function readLog(text: string): Map<number, Partial<Part>> {
  const parts = new Map<number, Partial<Part>>();
  for (const line of text.split('\n')) {
    const part = parseJson(line) as Partial<Part> | undefined;
    if (part?.number !== undefined) parts.set(part.number, part);
  }
  return parts;
}

/** `undefined` for what a power cut or a killed process has torn. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
