import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ObjectStoreError, type ObjectHeaders, type Part, type UploadOptions } from '../../core/ports/object-store.ts';
import { writeAll } from './disk.ts';
import { unless } from './errors.ts';

/**
 * Uploads in parts. Each is a folder aside: the object's bytes so far, every part at its place; what was asked for; and
 * a log of the parts, a line when one begins to be written and a line when it is whole. Nothing is kept in memory, so
 * whoever knows an upload's id can go on with it.
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
      ? await readFile(join(base, 'request.json'), 'utf8').catch(unless(['ENOENT'], undefined))
      : undefined;
    const request = text === undefined ? undefined : (JSON.parse(text) as Request);
    if (request?.key !== key) throw new ObjectStoreError('UNAVAILABLE', 'there is no such upload of this key');
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
      await using log = await open(upload.log, 'a');
      await using file = await open(upload.body, 'r+');
      signal?.throwIfAborted();
      // From here on the part that was there before, if any, is no longer whole.
      await log.appendFile(`\n${JSON.stringify({ number })}`);
      await writeAll(file, body, (number - 1) * upload.request.partBytes);
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
          throw new ObjectStoreError('UNAVAILABLE', `part ${at + 1} of the upload is not there`);
        }
        bytes += partBytes;
      }
      await using file = await open(upload.body, 'r+');
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
    const part = parseLine(line);
    if (part?.number !== undefined) parts.set(part.number, part);
  }
  return parts;
}

function parseLine(line: string): Partial<Part> | undefined {
  try {
    return JSON.parse(line) as Partial<Part>;
  } catch {
    return undefined;
  }
}
