import type { Entry } from '../model/entry.ts';
import type { Digests, Hashing } from './digests.ts';
import { failure } from './translate.ts';

/** Compares a body with all that is known of it beforehand. Errors: `DownloadError`. */
export interface BodyCheck {
  /** The whole body's length as the response tells it: what cannot fit fails before a byte of it is read. */
  declared: (bytes: number) => void;
  /** The next piece; fails as soon as there is too much. */
  take: (piece: Buffer) => void;
  /** Others have some of what follows: there will be no digest, and nothing more is hashed. */
  leaveDigests: () => void;
  /** Others have what follows: what comes from now on is neither counted nor hashed. */
  leaveRest: () => void;
  /** The digests so far, for who goes on from here; `undefined` if they are not known. */
  digests: () => Digests | undefined;
  /** The body has ended; fails unless its size and digests are those that were given. */
  end: () => { bytes: number; sha256: string | undefined };
  /** Bytes so far. */
  readonly bytes: number;
}

/**
 * A check of one body against the entry's size and digests and the largest size allowed.
 *
 * @param from how many bytes are there already, and what hashes the others; without that the entry must have no digest to
 *   compare with
 */
export function createBodyCheck(
  { size, md5, sha256 }: Pick<Entry, 'size' | 'md5' | 'sha256'>,
  maxBytes: number,
  httpStatus: number,
  from: { bytes: number; hashing: Hashing | undefined },
): BodyCheck {
  let { hashing } = from;
  let length: number | undefined;

  const check = {
    bytes: from.bytes,
    declared(total: number) {
      if (total > maxBytes) throw failure('TOO_LARGE', httpStatus);
      if (size !== undefined && total !== size) throw failure('SIZE_MISMATCH', httpStatus);
      length = total;
    },
    take(piece: Buffer) {
      check.bytes += piece.length;
      if (check.bytes > maxBytes) throw failure('TOO_LARGE', httpStatus);
      if (size !== undefined && check.bytes > size) throw failure('SIZE_MISMATCH', httpStatus);
      // Only a Content-Range can be so wrong: Content-Length ends the body.
      if (length !== undefined && check.bytes > length) throw failure('BAD_RESPONSE', httpStatus);
      hashing?.update(piece);
    },
    leaveDigests() {
      hashing = undefined;
    },
    leaveRest() {
      check.bytes = length ?? check.bytes;
      hashing = undefined;
    },
    digests: () => hashing?.digests(check.bytes),
    end() {
      const { bytes } = check;
      if (length !== undefined && bytes !== length) throw failure('TRUNCATED', httpStatus);
      if (size !== undefined && bytes !== size) throw failure('SIZE_MISMATCH', httpStatus);
      const digests = hashing?.end();
      if (sha256 !== undefined && digests?.sha256 !== sha256) throw failure('DIGEST_MISMATCH', httpStatus);
      if (md5 !== undefined && digests?.md5 !== md5) throw failure('DIGEST_MISMATCH', httpStatus);
      return { bytes, sha256: digests?.sha256 };
    },
  };
  return check;
}
