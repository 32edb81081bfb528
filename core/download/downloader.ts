import type { Entry } from '../model/entry.ts';
import type { BatchOptions } from '../model/options.ts';

/** Everything one attempt at one entry needs. */
export interface Job {
  batchId: string;
  entry: Entry;
  options: BatchOptions;
  /** Request headers of the whole batch; the entry's own come on top. */
  headers: Readonly<Record<string, string>>;
  /** Aborts the attempt; it then rejects with the signal's reason, with nothing under way and no upload left open. */
  signal: AbortSignal;
  /**
   * Called before the first request to another host (a redirect): gives back the slot held and waits for one of the
   * target's, no longer than until `signal` is aborted. May throw; the attempt then rejects with the same error.
   */
  enterHost: (host: string) => Promise<void>;
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
