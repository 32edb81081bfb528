import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3ServiceException,
  type HeadObjectCommandOutput,
  type S3Client,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { MAX_KEY_BYTES } from '../../core/model/limits.ts';
import { ObjectStoreError, type ObjectHeaders, type ObjectStore, type Part } from '../../core/ports/object-store.ts';
import { checksumOf, combinedChecksum } from './crc32.ts';
import type { Puts } from './puts.ts';

export interface S3StoreOptions {
  client: S3Client;
  puts: Puts;
  bucket: string;
  /** What every key begins with in the bucket; the keys that the store takes and gives are without it. */
  prefix?: string;
}

/**
 * An object store in an S3 bucket. S3 checks every body against a CRC-32 that is made here, and an upload against those
 * of its parts and that of the whole, which anybody can read of the object afterwards.
 *
 * S3 does not list uploads that were begun by calls whose answers were lost, nor does anybody know their ids: the
 * bucket's lifecycle rule ends them, as it ends those of killed workers.
 */
export function createS3Store({ client, puts, bucket, prefix = '' }: S3StoreOptions): ObjectStore {
  /** The one place where a key becomes S3's. */
  function at(key: string): { Bucket: string; Key: string } {
    const full = prefix + key;
    if (Buffer.byteLength(full) > MAX_KEY_BYTES) {
      throw new ObjectStoreError('KEY_CONFLICT', `with its prefix the key has more than ${MAX_KEY_BYTES} bytes`);
    }
    return { Bucket: bucket, Key: full };
  }

  async function head(key: string, signal?: AbortSignal): Promise<HeadObjectCommandOutput | undefined> {
    const command = new HeadObjectCommand({ ...at(key), ChecksumMode: 'ENABLED' });
    return client.send(command, until(signal)).catch(unless('NotFound', undefined));
  }

  /** Whether the object is made of just these parts: the answer to its completion can have been lost. */
  async function isMadeOf(key: string, parts: readonly Part[], signal?: AbortSignal): Promise<boolean> {
    const object = await head(key, signal);
    const sums = parts.map(({ checksum = '' }) => Buffer.from(checksum, 'base64'));
    // The second is what a store makes of the parts' that does not know checksums of the whole.
    const known = [combinedChecksum(parts), `${checksumOf(Buffer.concat(sums))}-${parts.length}`];
    return object?.ContentLength === bytesOf(parts) && known.includes(object.ChecksumCRC32 ?? '');
  }

  return {
    put: (key, body, { signal, sha256, ...headers } = {}) =>
      call(signal, async () => {
        const content = { Body: body, ChecksumCRC32: checksumOf(body), sha256 };
        await puts.send({ ...at(key), ...headersOf(headers), ...content }, until(signal));
      }),

    get: (key, { signal, from = 0, to = Infinity, ifMatch } = {}) =>
      call(signal, async () => {
        // A range of nothing cannot be asked for.
        if (to <= from) return (await head(key, signal)) && Buffer.alloc(0);
        const range = `bytes=${from}-${to === Infinity ? '' : to - 1}`;
        const whole = from === 0 && to === Infinity;
        const command = new GetObjectCommand({ ...at(key), Range: whole ? undefined : range, IfMatch: ifMatch });
        try {
          const { Body, ContentLength } = await client.send(command, until(signal));
          const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array();
          if (bytes.length !== ContentLength) throw new ObjectStoreError('UNAVAILABLE', 'the body is not whole');
          return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
        } catch (error) {
          if (isNamed(error, 'NoSuchKey')) return undefined;
          if (isNamed(error, 'PreconditionFailed')) throw new ObjectStoreError('CHANGED', 'it was replaced');
          // The object ends before the range begins.
          if (isNamed(error, 'InvalidRange')) return Buffer.alloc(0);
          throw error;
        }
      }),

    head: (key, { signal } = {}) =>
      call(signal, async () => {
        const object = await head(key, signal);
        if (!object) return undefined;
        const { ContentType, ContentEncoding, Metadata, ContentLength = 0, ETag = '' } = object;
        return {
          bytes: ContentLength,
          etag: ETag,
          ...(ContentType !== undefined && { contentType: ContentType }),
          ...(ContentEncoding !== undefined && { contentEncoding: ContentEncoding }),
          ...(Metadata !== undefined && { metadata: Metadata }),
        };
      }),

    async *list(start, { signal, after } = {}) {
      const from = {
        Bucket: bucket,
        Prefix: prefix + start,
        StartAfter: after === undefined ? undefined : prefix + after,
      };
      let next: string | undefined;
      do {
        const command = new ListObjectsV2Command({ ...from, ContinuationToken: next });
        const page = await call(signal, () => client.send(command, until(signal)));
        for (const { Key = '' } of page.Contents ?? []) yield Key.slice(prefix.length);
        next = page.NextContinuationToken;
      } while (next !== undefined);
    },

    delete: (key, { signal } = {}) =>
      call(signal, async () => {
        await client.send(new DeleteObjectCommand(at(key)), until(signal));
      }),

    createUpload: (key, { signal, ...options }) =>
      call(signal, async () => {
        const command = new CreateMultipartUploadCommand({
          ...at(key),
          ...headersOf(options),
          ChecksumAlgorithm: 'CRC32',
          ChecksumType: 'FULL_OBJECT',
        });
        const { UploadId } = await client.send(command, until(signal));
        if (UploadId === undefined) throw new ObjectStoreError('UNAVAILABLE', 'the upload has no id');
        return UploadId;
      }),

    putPart: (key, uploadId, number, body, { signal } = {}) =>
      call(signal, async () => {
        const checksum = checksumOf(body);
        const part = { UploadId: uploadId, PartNumber: number, Body: body, ChecksumCRC32: checksum };
        const { ETag = '' } = await puts.send({ ...at(key), ...part }, until(signal));
        return { number, etag: ETag, bytes: body.length, checksum };
      }),

    completeUpload: (key, uploadId, parts, { signal } = {}) =>
      call(signal, async () => {
        const ordered = parts.toSorted((a, b) => a.number - b.number);
        const command = new CompleteMultipartUploadCommand({
          ...at(key),
          UploadId: uploadId,
          MpuObjectSize: bytesOf(ordered),
          ChecksumType: 'FULL_OBJECT',
          ChecksumCRC32: combinedChecksum(ordered),
          MultipartUpload: {
            Parts: ordered.map(({ number, etag, checksum }) => ({
              PartNumber: number,
              ETag: etag,
              ChecksumCRC32: checksum,
            })),
          },
        });
        try {
          await client.send(command, until(signal));
        } catch (error) {
          if (!isNamed(error, 'NoSuchUpload') || !(await isMadeOf(key, ordered, signal))) throw error;
        }
      }),

    abortUpload: (key, uploadId) =>
      call(undefined, async () => {
        const command = new AbortMultipartUploadCommand({ ...at(key), UploadId: uploadId });
        await client.send(command).catch(unless('NoSuchUpload', undefined));
      }),

    uploadLink: (key, { bytes, expiresInMs }) =>
      call(undefined, async () => {
        const command = new PutObjectCommand({ ...at(key), ContentLength: bytes });
        const url = await getSignedUrl(client, command, {
          expiresIn: expiresInMs / 1000,
          // Signed, so that S3 refuses a body of any other length.
          signableHeaders: new Set(['content-length']),
        });
        return { url, method: 'PUT', headers: { 'content-length': String(bytes) } };
      }),
  };
}

/** The SDK's options for a call that ends with its signal. */
function until(signal: AbortSignal | undefined): { abortSignal: AbortSignal } | undefined {
  return signal && { abortSignal: signal };
}

function bytesOf(parts: readonly Part[]): number {
  return parts.reduce((sum, { bytes }) => sum + bytes, 0);
}

function headersOf({ contentType, contentEncoding, metadata }: ObjectHeaders) {
  return { ContentType: contentType, ContentEncoding: contentEncoding, Metadata: metadata && { ...metadata } };
}

/** Runs one call of the port: the SDK's errors become the port's, its AbortError the signal's reason. */
async function call<T>(signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
  signal?.throwIfAborted();
  try {
    return await run();
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof ObjectStoreError) throw error;
    const name = error instanceof Error ? error.name : 'no error';
    const lost = UPLOAD_LOST.some((code) => isNamed(error, code));
    throw new ObjectStoreError(lost ? 'UPLOAD_LOST' : 'UNAVAILABLE', `S3 failed (${name})`, { cause: error });
  }
}

/** What S3 answers where an upload was completed or aborted, or where a part is missing or was replaced. */
const UPLOAD_LOST = ['NoSuchUpload', 'InvalidPart'];

/** By the code that S3 gives; its status alone does not tell a missing object from a missing bucket. */
function isNamed(error: unknown, name: string): boolean {
  return error instanceof S3ServiceException && error.name === name;
}

/** For `catch`: answers `instead` of an error of this name. */
function unless<T>(name: string, instead: T): (error: unknown) => T {
  return (error) => {
    if (isNamed(error, name)) return instead;
    throw error;
  };
}
