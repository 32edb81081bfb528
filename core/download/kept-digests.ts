import { bytesOf, headOf, type PartialFile } from '../model/partial-file.ts';
import type { Digests } from './digests.ts';

/** Uploads whose digests are kept; one takes about a kilobyte. Whose are not is stored without, or begun again. */
const MAX_KEPT = 1000;

export interface KeptDigests {
  /** Those of the beginning that has landed; `undefined` if this worker has not seen every byte of it. */
  of: (partial: PartialFile) => Digests | undefined;
  keep: (uploadId: string, digests: Digests) => void;
  forget: (uploadId: string) => void;
}

/** The digests of files that a worker has begun, for when it goes on with them itself. */
export function createKeptDigests(): KeptDigests {
  /** The longest untouched first. */
  const kept = new Map<string, Digests>();
  return {
    of(partial) {
      const digests = kept.get(partial.uploadId);
      return digests?.bytes === bytesOf({ parts: headOf(partial.parts) }) ? digests : undefined;
    },
    keep(uploadId, digests) {
      kept.delete(uploadId);
      kept.set(uploadId, digests);
      const [oldest] = kept.keys();
      if (oldest !== undefined && kept.size > MAX_KEPT) kept.delete(oldest);
    },
    forget: (uploadId) => void kept.delete(uploadId),
  };
}
