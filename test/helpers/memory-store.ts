import { createHash, hash, randomUUID } from 'node:crypto';
import {
  ObjectStoreError,
  type CallOptions,
  type ObjectHeaders,
  type ObjectStore,
  type Part,
} from '../../core/ports/object-store.ts';

export type StoreCall = Exclude<keyof ObjectStore, 'list'>;

export interface MemoryStoreOptions {
  /**
   * Called at the start of every call but `list`, and awaited: what it waits for makes the store slow, what it throws
   * makes the call fail.
   */
  before?: (call: StoreCall, key: string, options: CallOptions & { part?: number }) => Promise<void> | void;
}

interface StoredObject extends ObjectHeaders {
  body: Buffer;
  etag: string;
}

interface Upload extends ObjectHeaders {
  key: string;
  partBytes: number;
  parts: Map<number, Buffer>;
  /** Parts that are on their way. */
  underWay: number;
}

export interface MemoryStore extends ObjectStore {
  /** What is visible now. */
  readonly objects: ReadonlyMap<string, StoredObject>;
  /** Calls that were begun. */
  readonly calls: Readonly<Record<StoreCall, number>>;
  /** Uploads that were begun and neither completed nor aborted. */
  readonly openUploads: number;
  /** Most parts of one upload that were under way at once. */
  readonly peakParts: number;
}

function etagOf(body: Buffer): string {
  return createHash('md5').update(body).digest('hex');
}

/** An object store that lives in memory and counts what is asked of it. */
export function createMemoryStore({ before }: MemoryStoreOptions = {}): MemoryStore {
  const objects = new Map<string, StoredObject>();
  const uploads = new Map<string, Upload>();
  const calls: Record<StoreCall, number> = {
    put: 0,
    get: 0,
    head: 0,
    delete: 0,
    createUpload: 0,
    putPart: 0,
    completeUpload: 0,
    abortUpload: 0,
    uploadLink: 0,
  };
  let peakParts = 0;

  async function begin(call: StoreCall, key: string, options: CallOptions & { part?: number } = {}): Promise<void> {
    calls[call]++;
    options.signal?.throwIfAborted();
    await before?.(call, key, options);
    options.signal?.throwIfAborted();
  }

  function uploadOf(key: string, uploadId: string): Upload {
    const upload = uploads.get(uploadId);
    if (upload?.key !== key) throw new ObjectStoreError('UPLOAD_LOST', 'no such upload');
    return upload;
  }

  return {
    objects,
    calls,
    get openUploads() {
      return uploads.size;
    },
    get peakParts() {
      return peakParts;
    },

    async put(key, body, { signal, sha256, ...headers } = {}) {
      await begin('put', key, { signal });
      if (sha256 !== undefined && sha256 !== hash('sha256', body)) throw new Error(`${key} has another SHA-256.`);
      // Copied only now: a caller that uses the buffer again before the call has ended spoils what is stored.
      objects.set(key, { ...headers, body: Buffer.from(body), etag: randomUUID() });
    },
    async get(key, { signal, from = 0, to, ifMatch } = {}) {
      await begin('get', key, { signal });
      const object = objects.get(key);
      if (object && ifMatch !== undefined && ifMatch !== object.etag) {
        throw new ObjectStoreError('CHANGED', 'it was replaced');
      }
      return object && Buffer.from(object.body.subarray(from, to));
    },
    async head(key, options) {
      await begin('head', key, options);
      const object = objects.get(key);
      if (object === undefined) return undefined;
      const { body, ...headers } = object;
      return { ...headers, bytes: body.length };
    },
    // eslint-disable-next-line @typescript-eslint/require-await -- the port is asynchronous
    async *list(prefix, { signal, after = '' } = {}) {
      const order = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
      for (const key of [...objects.keys()].sort(order)) {
        signal?.throwIfAborted();
        if (key.startsWith(prefix) && order(key, after) > 0) yield key;
      }
    },
    async delete(key, options) {
      await begin('delete', key, options);
      objects.delete(key);
    },

    async createUpload(key, { signal, partBytes, ...headers }) {
      await begin('createUpload', key, { signal });
      const uploadId = randomUUID();
      uploads.set(uploadId, { key, partBytes, ...headers, parts: new Map(), underWay: 0 });
      return uploadId;
    },
    async putPart(key, uploadId, number, body, options): Promise<Part> {
      const upload = uploadOf(key, uploadId);
      peakParts = Math.max(peakParts, ++upload.underWay);
      try {
        await begin('putPart', key, { ...options, part: number });
        upload.parts.set(number, Buffer.from(body));
      } finally {
        upload.underWay--;
      }
      return { number, etag: etagOf(body), bytes: body.length };
    },
    async completeUpload(key, uploadId, parts, options) {
      await begin('completeUpload', key, options);
      const { partBytes, parts: stored, contentType, contentEncoding, metadata } = uploadOf(key, uploadId);
      const bodies = parts.map((part, i) => {
        const body = stored.get(part.number);
        if (body === undefined || etagOf(body) !== part.etag) {
          throw new ObjectStoreError('UPLOAD_LOST', `part ${part.number} is not there`);
        }
        const isLast = i === parts.length - 1;
        if (body.length !== part.bytes || part.number !== i + 1 || (!isLast && body.length !== partBytes)) {
          throw new ObjectStoreError('UNAVAILABLE', `part ${part.number} is not what was announced`);
        }
        return body;
      });
      uploads.delete(uploadId);
      objects.set(key, { contentType, contentEncoding, metadata, body: Buffer.concat(bodies), etag: randomUUID() });
    },
    async abortUpload(key, uploadId) {
      await begin('abortUpload', key);
      if (uploads.get(uploadId)?.underWay) throw new ObjectStoreError('UNAVAILABLE', 'parts are under way'); // stays open
      uploads.delete(uploadId);
    },
    async uploadLink(key) {
      await begin('uploadLink', key);
      return undefined;
    },
  };
}
