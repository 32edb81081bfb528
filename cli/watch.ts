import { setTimeout } from 'node:timers/promises';
import type { FileDocument, StatusDocument } from '../http/documents.ts';
import type { Client } from './client.ts';

/** What is told while a batch runs. */
export interface Reporter {
  /** Which outcomes it wants to be told of. */
  outcomes: 'all' | 'failed';
  /** Once, with the first status. */
  started: (status: StatusDocument) => void;
  progress: (status: StatusDocument) => void;
  file: (file: FileDocument) => void;
  /** Something that the user should know. */
  warning: (text: string) => void;
  /** Once, when nothing will change any more, or nobody watches any longer. */
  ended: (status: StatusDocument) => void;
  /** Leaves the terminal as it was, however it ended. */
  close: () => void;
}

export interface WatchOptions {
  signal: AbortSignal;
  /** Pauses between two looks: a service on this machine can be asked as often as a person looks. */
  pauseMs: { first: number; most: number };
  /** Aborts once the batch is closed, where that is heard of: the pause that is under way then ends. */
  closed?: AbortSignal;
  /** Whether a batch that nobody but its limit has paused is waited for, too. */
  untilClosed?: boolean;
}

/** A deployment is paid for by the request. */
export const REMOTE_PAUSES = { first: 1000, most: 10_000 };
export const LOCAL_PAUSES = { first: 100, most: 1000 };
const PAUSE_FACTOR = 1.25;
const PAGE_FILES = 1000;
/** Pages of outcomes between two looks, so that the counts keep moving. */
const PAGES_AT_ONCE = 5;

/**
 * Follows a batch until it is closed, or paused by its limit, and tells of it.
 *
 * @returns its last status
 * @throws what the client throws
 */
export async function watch(
  client: Client,
  id: string,
  reporter: Reporter,
  { signal, pauseMs, closed, untilClosed = false }: WatchOptions,
): Promise<StatusDocument> {
  const outcomes = followOutcomes(client, id, reporter);
  const warned = new Set<string>();
  let started = false;
  for (let pause = pauseMs.first; ; pause = Math.min(PAUSE_FACTOR * pause, pauseMs.most)) {
    const status = await client.status(id);
    if (!started) reporter.started(status);
    started = true;
    for (const warning of status.warnings) if (!warned.has(warning)) reporter.warning(warning);
    for (const warning of status.warnings) warned.add(warning);
    const isOver = status.finishedAt !== undefined || (status.reason !== undefined && !untilClosed);
    await outcomes(status, isOver ? Infinity : PAGES_AT_ONCE);
    reporter.progress(status);
    if (isOver) {
      reporter.ended(status);
      return status;
    }
    const ends = closed && !closed.aborted ? AbortSignal.any([signal, closed]) : signal;
    await setTimeout(pause, undefined, { signal: ends }).catch((error: unknown) => {
      if (signal.aborted || !closed?.aborted) throw error;
    });
  }
}

/** Tells of the outcomes that are new at each call. */
function followOutcomes(client: Client, id: string, reporter: Reporter) {
  let cursor: string | undefined;
  let told = 0;

  return async (status: StatusDocument, maxPages: number): Promise<void> => {
    const { done, failed, skipped } = status;
    const wanted = reporter.outcomes === 'all' ? done + failed + skipped : failed;
    const state = reporter.outcomes === 'all' ? undefined : 'failed';
    for (let pages = 0; told < wanted && pages < maxPages; pages++) {
      const page = await client.files(id, { state, limit: PAGE_FILES, cursor });
      for (const file of page.files) reporter.file(file);
      told += page.files.length;
      if (page.nextCursor === undefined || (page.files.length === 0 && page.nextCursor === cursor)) return;
      cursor = page.nextCursor;
    }
  };
}
