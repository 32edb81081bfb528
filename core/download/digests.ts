import { createHash, type Hash } from 'node:crypto';
import { createMD5, createSHA256, type IHasher } from 'hash-wasm';
import type { Entry } from '../model/entry.ts';
import type { SavedDigests } from '../model/partial-file.ts';
import { failure } from './translate.ts';

/** Digests of a file's beginning, to go on from. */
export interface Digests {
  /** How long that beginning is. */
  readonly bytes: number;
  /** They live in memory: the state of one of Node's hashes cannot be written down. */
  readonly live?: { sha256: Hash; md5: Hash | undefined };
  /** The state of one of these can. */
  readonly saved?: SavedDigests;
}

/** Digests of a file as its bytes come, in their order. */
export interface Hashing {
  update: (piece: Buffer) => void;
  /** The state of now, after `bytes` bytes, which stays what it is. */
  digests: (bytes: number) => Digests;
  /** Lower-case hex; ends it. */
  end: () => { sha256?: string | undefined; md5?: string | undefined };
}

/** By Node's own hashes: SHA-256, and MD5 where that is wanted. */
export function hashLive(withMd5: boolean, from?: Digests['live']): Hashing {
  const sha256 = from ? from.sha256.copy() : createHash('sha256');
  const md5 = from ? from.md5?.copy() : withMd5 ? createHash('md5') : undefined;
  return {
    update(piece) {
      sha256.update(piece);
      md5?.update(piece);
    },
    digests: (bytes) => ({ bytes, live: { sha256: sha256.copy(), md5: md5?.copy() } }),
    end: () => ({ sha256: sha256.digest('hex'), md5: md5?.digest('hex') }),
  };
}

/**
 * By hashes whose state can be written down, so that another worker can go on; they take six times the processor's time
 * of Node's for SHA-256, and are made only of what is to be compared.
 */
export async function hashSaved(wanted: { sha256: boolean; md5: boolean }, from?: SavedDigests): Promise<Hashing> {
  const sha256 = wanted.sha256 ? begin(await createSHA256(), from?.sha256) : undefined;
  const md5 = wanted.md5 ? begin(await createMD5(), from?.md5) : undefined;
  return {
    update(piece) {
      sha256?.update(piece);
      md5?.update(piece);
    },
    digests: (bytes) => ({
      bytes,
      saved: { ...(sha256 && { sha256: stateOf(sha256) }), ...(md5 && { md5: stateOf(md5) }) },
    }),
    end: () => ({ sha256: sha256?.digest('hex'), md5: md5?.digest('hex') }),
  };
}

/** Fails unless hashes that have seen the whole file come to what was given. */
export async function compareSaved({ sha256, md5 }: Pick<Entry, 'sha256' | 'md5'>, from?: SavedDigests): Promise<void> {
  if (sha256 === undefined && md5 === undefined) return;
  const digests = (await hashSaved({ sha256: sha256 !== undefined, md5: md5 !== undefined }, from)).end();
  if (digests.sha256 !== sha256 || digests.md5 !== md5) throw failure('DIGEST_MISMATCH');
}

function begin(hasher: IHasher, state: string | undefined): IHasher {
  hasher.init();
  if (state !== undefined) hasher.load(Buffer.from(state, 'base64'));
  return hasher;
}

function stateOf(hasher: IHasher): string {
  return Buffer.from(hasher.save()).toString('base64');
}
