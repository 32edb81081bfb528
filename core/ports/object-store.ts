/**
 * A place for objects: an S3 bucket or a folder of plain files.
 *
 * Bodies are Buffers, never streams: a source that fails in the middle of a stream would fail inside the store's
 * client, where neither side can clean up. What is too large for one Buffer is written in parts. Once a call has
 * settled, whichever way, its body is the caller's again and may be overwritten: a store must be done with it by then.
 *
 * Keys are relative, `/` separates segments, no segment is empty, `.` or `..`. An object becomes visible whole or
 * not at all; the last write to a key wins. Reads see every write that was answered before.
 *
 * Errors: `ObjectStoreError`; the signal's reason when aborted.
 */
export interface ObjectStore {
  /** Stores one object whole. */
  put(key: string, body: Buffer, options?: PutOptions): Promise<void>;
  /** The object's bytes from `from` up to, not including, `to`; fewer where the object ends before; `undefined` where there is none. */
  get(key: string, options?: GetOptions): Promise<Buffer | undefined>;
  /** What is known of an object without its body; `undefined` where there is none. */
  head(key: string, options?: CallOptions): Promise<ObjectInfo | undefined>;
  /** Every key that starts with `prefix` and comes behind `after`, in the order of their UTF-8 bytes. */
  list(prefix: string, options?: ListOptions): AsyncIterable<string>;
  /** Removes an object; removing what is not there succeeds. */
  delete(key: string, options?: CallOptions): Promise<void>;

  /** Begins an object in parts and answers the upload's id. Nothing is visible under the key until it is completed. */
  createUpload(key: string, options: UploadOptions): Promise<string>;
  /**
   * Stores part `number` (from 1); the same number again replaces the part. Parts may arrive in any order. One that was
   * answered is there for whoever knows the upload's id and what was answered, also after a restart.
   */
  putPart(key: string, uploadId: string, number: number, body: Buffer, options?: CallOptions): Promise<Part>;
  /** Makes the object of exactly these parts, in the order of their numbers. */
  completeUpload(key: string, uploadId: string, parts: readonly Part[], options?: CallOptions): Promise<void>;
  /** Forgets an upload and its parts. Call it once no `putPart` is under way; aborting twice succeeds. */
  abortUpload(key: string, uploadId: string): Promise<void>;

  /**
   * A link for a client to put an object of exactly `bytes` bytes; `undefined` from a store that clients cannot reach.
   * Nothing is asked of the store for it.
   */
  uploadLink(key: string, options: { bytes: number; expiresInMs: number }): Promise<UploadLink | undefined>;
}

export interface CallOptions {
  signal?: AbortSignal | undefined;
}

export interface GetOptions extends CallOptions {
  /** First byte wanted; 0 if left out. */
  from?: number | undefined;
  /** The byte after the last one wanted; the object's end if left out. */
  to?: number | undefined;
  /** The version wanted, as `head` named it; any if left out. Of an object that is another by now `CHANGED` is thrown. */
  ifMatch?: string | undefined;
}

export interface ListOptions extends CallOptions {
  /** A key, which need not be there; from the beginning if left out. */
  after?: string | undefined;
}

/** What is kept beside an object's bytes. */
export interface ObjectHeaders {
  contentType?: string | undefined;
  contentEncoding?: string | undefined;
  /** Lower-case names, printable ASCII values; within 2 KB in all, S3's limit. */
  metadata?: Readonly<Record<string, string>> | undefined;
}

export interface PutOptions extends CallOptions, ObjectHeaders {
  /** SHA-256 of the body in hex, where it is known already: for a store that would need it. */
  sha256?: string | undefined;
}

export interface UploadOptions extends CallOptions, ObjectHeaders {
  /** Bytes of every part but the last, which may be shorter. */
  partBytes: number;
}

export interface Part {
  number: number;
  etag: string;
  bytes: number;
  /** What the store checks the part by once more when the upload is completed, if it does. */
  checksum?: string | undefined;
}

export interface ObjectInfo extends ObjectHeaders {
  bytes: number;
  /** The version: another after every write. */
  etag: string;
}

/** A request by which a client that knows nothing else can put one object. */
export interface UploadLink {
  url: string;
  method: 'PUT';
  /** To be sent just so, but for Content-Length, which most clients set by themselves. */
  headers: Readonly<Record<string, string>>;
}

/**
 * Why a call to an object store failed: `KEY_CONFLICT`, this store cannot keep this key (a folder stands there, the
 * name is too long); `CHANGED`, the object is not the version that was wanted; `UPLOAD_LOST`, the upload or one of its
 * parts is not there, or no longer what it was, so that nothing can come of it; `UNAVAILABLE`, anything that may pass.
 */
export type ObjectStoreErrorCode = 'KEY_CONFLICT' | 'CHANGED' | 'UPLOAD_LOST' | 'UNAVAILABLE';

export class ObjectStoreError extends Error {
  readonly code: ObjectStoreErrorCode;

  constructor(code: ObjectStoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ObjectStoreError';
    this.code = code;
  }
}
