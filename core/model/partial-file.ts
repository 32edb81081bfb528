import type { Part } from '../ports/object-store.ts';

/**
 * The beginning of a file that is in the object store: the parts that have landed in an upload which is not completed.
 * Plain JSON: a later attempt goes on from it, of this worker or another.
 */
export interface PartialFile {
  uploadId: string;
  /** Bytes of every part. */
  partBytes: number;
  /** From number 1, without a gap. */
  parts: readonly Part[];
  /** The strong validator of the version that the parts are of, quotes included. */
  etag: string;
  /** Names the URL that answered, after redirects: a validator says nothing of another resource. */
  source: string;
  /** Bytes of the whole file, where the response told. */
  length?: number | undefined;
  contentType?: string | undefined;
  contentEncoding?: string | undefined;
}

/** How far a file has come, in bytes. */
export function bytesOf(partial: Pick<PartialFile, 'partBytes' | 'parts'> | undefined): number {
  return partial === undefined ? 0 : partial.parts.length * partial.partBytes;
}
