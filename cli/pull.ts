import { setTimeout } from 'node:timers/promises';
import { inLanes } from '../core/model/lanes.ts';
import type { FileDocument, StatusDocument } from '../http/documents.ts';
import type { Client } from './client.ts';
import { isThere, pullFile, type PullFileOptions } from './pull-file.ts';
import type { Reporter } from './watch.ts';

const PAGE_FILES = 100;
/** Links are good for 15 minutes. */
const LINK_MS = 10 * 60_000;
const ATTEMPTS = 5;
const FIRST_PAUSE_MS = 500;
/** How often it is looked whether a running batch has more. */
const LOOK_MS = 2000;

interface Linked {
  file: FileDocument;
  /** A link that is good now. */
  link: () => Promise<string | undefined>;
}

export interface PullOptions extends PullFileOptions {
  /** Files at once. */
  lanes: number;
  /** Goes on until the batch is closed. */
  wait: boolean;
  /** What relative links follow. */
  base: string;
}

export interface Pulled {
  /** Of the batch. */
  status: StatusDocument;
  pulled: number;
  there: number;
  failed: number;
  bytes: number;
}

/** Gets the files of a batch, one after the other in so many lanes. Errors: the client's; the signal's reason. */
export async function pull(client: Client, id: string, reporter: Reporter, options: PullOptions): Promise<Pulled> {
  const { signal, lanes, tree, base } = options;
  const beganAt = performance.now();
  const result: Pulled = { status: await client.status(id), pulled: 0, there: 0, failed: 0, bytes: 0 };

  const tell = (file: FileDocument) => {
    if (file.state === 'failed' || reporter.outcomes === 'all') reporter.file(file);
  };

  async function take({ file, link }: Linked): Promise<void> {
    try {
      if (await isThere(tree, file)) {
        result.there += 1;
        tell({ ...file, state: 'skipped' });
      } else {
        await withRetries(async () => {
          const path = await link();
          if (path === undefined) throw new Error('there is no link to it: Downburst has not stored it');
          await pullFile(file, new URL(path, base).href, options);
        }, signal);
        result.pulled += 1;
        result.bytes += file.bytes ?? 0;
        tell(file);
      }
    } catch (error) {
      signal.throwIfAborted();
      result.failed += 1;
      tell({ ...file, state: 'failed', message: error instanceof Error ? error.message : String(error) });
    }
    reporter.progress(progressOf(result, performance.now() - beganAt));
  }

  reporter.started(progressOf(result, 0));
  await inLanes(linkedFiles(client, id, result, options), lanes, take);
  reporter.ended(progressOf(result, performance.now() - beganAt));
  return result;
}

/** Every file that the batch has stored, or found there. */
async function* linkedFiles(
  client: Client,
  id: string,
  result: Pulled,
  { wait, signal }: PullOptions,
): AsyncGenerator<Linked, void> {
  const readPage = (cursor: string | undefined) => client.files(id, { links: true, limit: PAGE_FILES, cursor });
  for (let cursor: string | undefined; ;) {
    const at = cursor;
    const page = await readPage(at);
    const link = createLinks(page.files, async () => (await readPage(at)).files);
    for (const file of page.files) if (file.state !== 'failed') yield { file, link: () => link(file.index) };
    if (page.nextCursor === undefined) return;
    if (page.files.length === 0 && page.nextCursor === at) {
      if (!wait) return;
      await setTimeout(LOOK_MS, undefined, { signal });
      result.status = await client.status(id);
    }
    cursor = page.nextCursor;
  }
}

/** The links of one page, which is read again when they get old. */
function createLinks(files: readonly FileDocument[], readAgain: () => Promise<readonly FileDocument[]>) {
  let current = Promise.resolve(files);
  let readAt = performance.now();
  return async (index: number): Promise<string | undefined> => {
    if (performance.now() - readAt > LINK_MS) {
      readAt = performance.now();
      current = readAgain();
    }
    return (await current).find((file) => file.index === index)?.link;
  };
}

async function withRetries(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await work();
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (attempt === ATTEMPTS) throw error;
      await setTimeout(Math.random() * FIRST_PAUSE_MS * 2 ** attempt, undefined, { signal });
    }
  }
}

/** How far it is, in the words of a batch. */
function progressOf({ status, pulled, there, failed, bytes }: Pulled, ms: number): StatusDocument {
  const total = status.done + status.skipped;
  const perSecond = (n: number) => (ms > 0 ? (1000 * n) / ms : 0);
  const rate = { filesPerSecond: perSecond(pulled + there), bytesPerSecond: Math.round(perSecond(bytes)) };
  const pending = Math.max(0, total - pulled - there - failed);
  const state = pending > 0 ? 'running' : 'finished';
  const own = { done: pulled, skipped: there, failed, cancelled: 0, retrying: 0, failures: {}, bytes };
  return { ...status, ...own, state, total, pending, duplicates: 0, rate, averageRate: rate, etaSeconds: undefined };
}
