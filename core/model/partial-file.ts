import type { Part } from '../ports/object-store.ts';

/**
 * What of a file is in the object store: the parts that have landed in an upload which is not completed. Plain JSON: a
 * later attempt goes on from it, of this worker or another. A part takes some 100 bytes of it, so that a file of 10,000
 * parts takes 1 MB.
 */
export interface PartialFile {
  uploadId: string;
  /** Bytes of every part but the file's last. */
  partBytes: number;
  /** In the order of their numbers; of a file that is split there can be gaps. */
  parts: readonly Part[];
  /** The strong validator of the version that the parts are of, quotes included. */
  etag: string;
  /** Names the URL that answered, after redirects, without its query: a validator says nothing of another place's file. */
  source: string;
  /** Bytes of the whole file, where the response told. */
  length?: number | undefined;
  contentType?: string | undefined;
  contentEncoding?: string | undefined;
  /** Of the file's beginning, where it is to be compared by them. */
  digests?: SavedDigests | undefined;
}

/** Hashes that have not come to their end, by hash-wasm, in base64. */
export interface SavedDigests {
  sha256?: string | undefined;
  md5?: string | undefined;
}

/** How much of a file is there, in bytes. */
export function bytesOf(partial: Pick<PartialFile, 'parts'> | undefined): number {
  return partial === undefined ? 0 : partial.parts.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Parts from the first one on, without a gap. */
export function headOf(parts: readonly Part[]): readonly Part[] {
  const end = parts.findIndex(({ number }, at) => number !== at + 1);
  return end < 0 ? parts : parts.slice(0, end);
}
