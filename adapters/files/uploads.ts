import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ObjectStoreError, type ObjectHeaders, type Part, type UploadOptions } from '../../core/ports/object-store.ts';
import { writeAll } from './disk.ts';
import { codeOf, unless } from './errors.ts';

/**
 * Uploads in parts. Each is a folder aside: the object's bytes so far, every part at its place; what was asked for; and
 * a log of the parts, a line when one begins to be written and a line when it is whole. Nothing is kept in memory, so
 * whoever knows an upload's id can go on with it. What a power cut takes of log or request is missed, never mistaken.
 */
export interface Uploads {
  create(key: string, options: UploadOptions): Promise<string>;
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

export function createUploads(folder: string): Uploads {
  async function find(key: string, uploadId: string) {
    const base = join(folder, uploadId);
    const text = UPLOAD_ID.test(uploadId)
      ? await readFile(join(base, 'request.json'), 'utf8').catch(unless(['ENOENT'], ''))
      : '';
    const request = parseJson(text) as Request | undefined;
    if (request?.key !== key) throw new ObjectStoreError('UPLOAD_LOST', 'there is no such upload of this key');
    return { request, body: join(base, 'body'), log: join(base, 'parts.log') };
  }

  return {
    async create(key, { partBytes, contentType, contentEncoding, metadata }) {
      const uploadId = `upload-${randomUUID()}`;
      const base = join(folder, uploadId);
      const request: Request = { key, partBytes, headers: { contentType, contentEncoding, metadata } };
      await mkdir(base);
      await writeFile(join(base, 'body'), '');
      await writeFile(join(base, 'request.json'), JSON.stringify(request));
      return uploadId;
    },

    async putPart(key, uploadId, number, body, signal) {
      const upload = await find(key, uploadId);
      if (!Number.isInteger(number) || number < 1) throw new RangeError('parts are numbered from 1');
      if (body.length > upload.request.partBytes) throw new RangeError('the part is larger than partBytes');
      const part = { number, etag: randomUUID(), bytes: body.length };
      await using log = await open(upload.log, 'a').catch(lostWithFolder);
      await using file = await open(upload.body, 'r+').catch(lostWithFolder);
      signal?.throwIfAborted();
      // From here on the part that was there before, if any, is no longer whole.
      await log.appendFile(`\n${JSON.stringify({ number })}`);
      await writeAll(file, body, (number - 1) * upload.request.partBytes);
      // A checkpoint may name the part from now on: its line must not outlive a power cut that its bytes do not.
      await file.datasync();
      await log.appendFile(`\n${JSON.stringify(part)}`);
      return part;
    },

    async assemble(key, uploadId, parts) {
      const upload = await find(key, uploadId);
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
      await using file = await open(upload.body, 'r+').catch(lostWithFolder);
      await file.truncate(bytes);
      await file.datasync();
      return { path: upload.body, headers: upload.request.headers };
    },

    async remove(uploadId) {
      if (UPLOAD_ID.test(uploadId)) await rm(join(folder, uploadId), { recursive: true, force: true });
    },
  };
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

/** For `catch`: an upload that is gone between two looks was completed or aborted. */
function lostWithFolder(error: unknown): never {
  if (codeOf(error) === 'ENOENT') throw new ObjectStoreError('UPLOAD_LOST', 'the upload is gone', { cause: error });
  throw error;
}
