import { createHash } from 'node:crypto';
import type { Entry } from '../model/entry.ts';
import { failure } from './translate.ts';

/** Compares a body with all that is known of it beforehand. Errors: `DownloadError`. */
export interface BodyCheck {
  /** The length that the response declares: what cannot fit fails before a byte of it is read. */
  declared: (bytes: number) => void;
  /** The next piece; fails as soon as there is too much. */
  take: (piece: Buffer) => void;
  /** The body has ended; fails unless its size and digests are those that were given. */
  end: () => { bytes: number; sha256: string };
}

/** A check of one body against the entry's size and digests and the largest size allowed. SHA-256 is computed always. */
export function createBodyCheck(
  { size, md5, sha256 }: Pick<Entry, 'size' | 'md5' | 'sha256'>,
  maxBytes: number,
  httpStatus: number,
): BodyCheck {
  const sha256Hash = createHash('sha256');
  const md5Hash = md5 === undefined ? undefined : createHash('md5');
  let bytes = 0;

  return {
    declared(length) {
      if (length > maxBytes) throw failure('TOO_LARGE', httpStatus);
      if (size !== undefined && length !== size) throw failure('SIZE_MISMATCH', httpStatus);
    },
    take(piece) {
      bytes += piece.length;
      if (bytes > maxBytes) throw failure('TOO_LARGE', httpStatus);
      if (size !== undefined && bytes > size) throw failure('SIZE_MISMATCH', httpStatus);
      sha256Hash.update(piece);
      md5Hash?.update(piece);
    },
    end() {
      if (size !== undefined && bytes !== size) throw failure('SIZE_MISMATCH', httpStatus);
      const digest = sha256Hash.digest('hex');
      if (sha256 !== undefined && digest !== sha256) throw failure('DIGEST_MISMATCH', httpStatus);
      if (md5Hash !== undefined && md5Hash.digest('hex') !== md5) throw failure('DIGEST_MISMATCH', httpStatus);
      return { bytes, sha256: digest };
    },
  };
}
