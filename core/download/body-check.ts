import { createHash, type Hash } from 'node:crypto';
import type { Entry } from '../model/entry.ts';
import { failure } from './translate.ts';

/** Digests of a file's beginning. They live in memory: the state of a hash cannot be written down. */
export interface Digests {
  /** How long that beginning is. */
  readonly bytes: number;
  readonly sha256: Hash;
  /** Only where the entry has one to compare with. */
  readonly md5?: Hash | undefined;
}

/** Compares a body with all that is known of it beforehand. Errors: `DownloadError`. */
export interface BodyCheck {
  /** The whole body's length as the response tells it: what cannot fit fails before a byte of it is read. */
  declared: (bytes: number) => void;
  /** The next piece; fails as soon as there is too much. */
  take: (piece: Buffer) => void;
  /** The digests so far, for who goes on from here; `undefined` if they are not known. */
  digests: () => Digests | undefined;
  /** The body has ended; fails unless its size and digests are those that were given. */
  end: () => { bytes: number; sha256: string | undefined };
  /** Bytes so far. */
  readonly bytes: number;
}

/**
 * A check of one body against the entry's size and digests and the largest size allowed. SHA-256 is computed wherever
 * every byte is seen.
 *
 * @param from how many bytes are there already, and their digests; without these none are computed, and the entry must
 *   have none to compare with
 */
export function createBodyCheck(
  { size, md5, sha256 }: Pick<Entry, 'size' | 'md5' | 'sha256'>,
  maxBytes: number,
  httpStatus: number,
  from: { bytes: number; digests?: Digests | undefined } = { bytes: 0, digests: emptyDigests(md5 !== undefined) },
): BodyCheck {
  const digests = from.digests && copyOf(from.digests);
  let { bytes } = from;
  let length: number | undefined;

  return {
    declared(total) {
      if (total > maxBytes) throw failure('TOO_LARGE', httpStatus);
      if (size !== undefined && total !== size) throw failure('SIZE_MISMATCH', httpStatus);
      length = total;
    },
    take(piece) {
      bytes += piece.length;
      if (bytes > maxBytes) throw failure('TOO_LARGE', httpStatus);
      if (size !== undefined && bytes > size) throw failure('SIZE_MISMATCH', httpStatus);
      // Only a Content-Range can be so wrong: Content-Length ends the body.
      if (length !== undefined && bytes > length) throw failure('BAD_RESPONSE', httpStatus);
      digests?.sha256.update(piece);
      digests?.md5?.update(piece);
    },
    digests: () => digests && { ...copyOf(digests), bytes },
    end() {
      if (length !== undefined && bytes !== length) throw failure('TRUNCATED', httpStatus);
      if (size !== undefined && bytes !== size) throw failure('SIZE_MISMATCH', httpStatus);
      const digest = digests?.sha256.digest('hex');
      if (sha256 !== undefined && digest !== sha256) throw failure('DIGEST_MISMATCH', httpStatus);
      if (md5 !== undefined && digests?.md5?.digest('hex') !== md5) throw failure('DIGEST_MISMATCH', httpStatus);
      return { bytes, sha256: digest };
    },
    get bytes() {
      return bytes;
    },
  };
}

function emptyDigests(withMd5: boolean): Digests {
  return { bytes: 0, sha256: createHash('sha256'), md5: withMd5 ? createHash('md5') : undefined };
}

function copyOf({ bytes, sha256, md5 }: Digests): Digests {
  return { bytes, sha256: sha256.copy(), md5: md5?.copy() };
}
