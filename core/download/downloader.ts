import type { Entry } from '../model/entry.ts';
import type { DownloadError } from '../model/failure.ts';
import type { BatchOptions } from '../model/options.ts';
import type { PartialFile } from '../model/partial-file.ts';

/** A connection that a file may use beside its own, for one request. */
export interface Loan {
  /** Gives it back; says what the request came to. */
  end: (failure?: DownloadError) => void;
  /** Gives it back without a word of the host: nothing was asked, or the answer not waited for. */
  drop: () => void;
}

/** Everything one attempt at one entry needs. */
export interface Job {
  batchId: string;
  entry: Entry;
  options: BatchOptions;
  /** Request headers of the whole batch; the entry's own come on top. */
  headers: Readonly<Record<string, string>>;
  /**
   * Aborts the attempt; it then rejects with the signal's reason, with nothing under way and no upload left open but one
   * that `keep` was told of.
   */
  signal: AbortSignal;
  /**
   * Called before the first request to another host (a redirect), and before each for a part of a file: gives back the
   * slot held and waits for one of the target's, no longer than until `signal` is aborted. May throw; the attempt then
   * rejects with the same error.
   */
  enterHost: (host: string) => Promise<void>;
  /**
   * Called when a small file's body is there, whole: the attempt has only to store it, and needs its host's slot no more.
   * Not for a file of several parts, which may have to be asked for again if its upload is lost.
   */
  received?: (() => void) | undefined;
  /**
   * Called when a request fails of which the attempt does not reject at once, since it has others to end before: what its
   * host said of when to come back holds from now on.
   */
  requestFailed?: ((failure: DownloadError) => void) | undefined;
  /**
   * Waits for a connection to a host that nobody else has a use for now. Rejects with the signal's reason. Without it a
   * file has the connection of its attempt.
   */
  borrow?: ((host: string, signal: AbortSignal) => Promise<Loan>) | undefined;
  /** Whether the file was begun anew before, since its source had another version of it. */
  wasChanged?: boolean | undefined;
  /** Called when that happens now. */
  changed?: (() => void) | undefined;
  /** What `keep` was last told of by an earlier attempt at this entry, here or elsewhere: it is gone on with. */
  partial?: PartialFile | undefined;
  /**
   * Called whenever the beginning of the file that is in the store has grown, if the rest can be asked for later, and
   * with nothing when it is of no use any more. An upload told of is the caller's when the attempt rejects: to give to
   * the next attempt, or to abort. Without it nothing outlives the attempt.
   */
  keep?: ((partial: PartialFile | undefined) => void) | undefined;
}

/** What an attempt stored, or found stored. */
export interface Stored {
  state: 'done' | 'skipped';
  bytes: number;
  sha256?: string | undefined;
  contentType?: string | undefined;
  httpStatus?: number | undefined;
  lengthVerified?: boolean | undefined;
}

/** Fetches one entry into the object store, once. Errors: `DownloadError`; the signal's reason when aborted. */
export type Download = (job: Job) => Promise<Stored>;

/** Where the entry's file goes. */
export function keyOf({ options, entry }: Pick<Job, 'options' | 'entry'>): string {
  return options.prefix + entry.key;
}

/** Whose it is, as its metadata tell. */
export function ownerOf({ batchId, entry }: Pick<Job, 'batchId' | 'entry'>): { batchId: string; index: number } {
  return { batchId, index: entry.index };
}
