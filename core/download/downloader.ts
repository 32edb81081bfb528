import type { Entry } from '../model/entry.ts';
import type { DownloadError } from '../model/failure.ts';
import type { BatchOptions } from '../model/options.ts';
import type { PartialFile } from '../model/partial-file.ts';
import type { Part } from '../ports/object-store.ts';
import type { PartSource } from './part-request.ts';

/** Gives a connection back; says what the request came to. */
export type GiveBack = (failure?: DownloadError) => void;

/** A connection that a file may use beside its own, for one request. */
export interface Loan {
  /** Gives it back; says what the request came to. */
  end: GiveBack;
  /** Gives it back without a word of the host: nothing was asked, or the answer not waited for. */
  drop: () => void;
  /** Ends the loan, and leaves the connection to another worker; answers how it is given back. */
  handOver: () => GiveBack;
}

/** Parts of a file, by their numbers. */
export interface Slice {
  first: number;
  last: number;
}

/** What another worker is to do for a file. */
export interface HelpOrder extends Slice {
  source: Omit<PartSource, 'options'>;
  uploadId: string;
  /** Bytes of every part but the file's last. */
  partBytes: number;
}

/** Another worker that fetches parts of an attempt's file. */
export interface Helper extends Slice {
  readonly connections: number;
  /** Resolves when it has ended, with all of its parts or not. */
  readonly ended: Promise<unknown>;
  /** The attempt has nothing else to do: whoever has not begun need not any more. */
  hurry: () => void;
}

/** Other workers that fetch parts of a file, for one attempt. */
export interface Helpers {
  /** Those that do already. From now on `landed` is called with parts that have landed, with some of them again and again. */
  join: (landed: (parts: readonly Part[]) => void) => Helper[];
  /** Asks for one more, and leaves it these connections; `undefined` if there can be none now. */
  ask: (order: HelpOrder, loans: readonly Loan[]) => Helper | undefined;
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
  /** Without them a file has the worker of its attempt alone. */
  helpers?: Helpers | undefined;
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

/** Parts of a file that another worker's attempt is at. */
export interface PartsJob extends HelpOrder {
  /** How many it may have to the source. */
  connections: number;
  /** Of the object that they become. */
  key: string;
  options: BatchOptions;
  /** Ends it; it then rejects with the signal's reason, with nothing under way. */
  signal: AbortSignal;
  /** Called with each part that has landed. */
  landed: (part: Part) => void;
}

/**
 * Fetches parts into an upload that is somebody else's, who completes or aborts it. Errors, with some parts landed or
 * none: `RangeRefused`, `DownloadError`, the signal's reason.
 */
export type FetchParts = (job: PartsJob) => Promise<void>;

/** Where the entry's file goes. */
export function keyOf({ options, entry }: Pick<Job, 'options' | 'entry'>): string {
  return options.prefix + entry.key;
}

/** Whose it is, as its metadata tell. */
export function ownerOf({ batchId, entry }: Pick<Job, 'batchId' | 'entry'>): { batchId: string; index: number } {
  return { batchId, index: entry.index };
}
