import {
  resultCodeOf,
  SQLITE_CORRUPT,
  SQLITE_FULL,
  SQLITE_IOERR,
  SQLITE_NOTADB,
  SQLITE_READONLY,
} from '../adapters/sqlite/database.ts';
import { FolderInUseError, lockFolder } from '../adapters/sqlite/lock.ts';
import { systemClock } from '../adapters/system-clock.ts';
import type { PlanningService, Summary } from '../core/batch/service.ts';
import { recoverAfterRestart, sweep } from '../core/batch/sweep.ts';
import { SWEEP_INTERVAL_MS } from '../core/model/limits.ts';
import type { Fetch } from './api.ts';
import { createDispatcher } from './dispatcher.ts';
import type { Log } from './log.ts';
import type { FromThread, ThreadSettings } from './messages.ts';
import { startNotifier } from './notifier.ts';
import { createPlanner } from './planner.ts';
import { createService } from './service.ts';
import { StartError } from './start-error.ts';
import { makeFolders, openStores, removeLeftovers, removeOrphans, type Folders, type Stores } from './stores.ts';
import type { Webhook } from './webhook.ts';
import { createWorkerPool } from './worker-pool.ts';

/** How long turns may take to bring their work home when the service stops. */
const STOP_GRACE_MS = 7000;

export interface EmbeddedOptions {
  /** Made if they are missing. */
  folders: Folders;
  /** With which the user names another folder. */
  folderFlag: string;
  /** Worker threads. */
  workers: number;
  /** Networks in CIDR notation that may be downloaded from besides the public internet. */
  allowedNetworks: readonly string[];
  /** Who is told of closed batches, if anybody. */
  webhook?: Webhook | undefined;
  log: Log;
  /** Called whenever a batch is closed. */
  onClosed?: ((batchId: string) => void) | undefined;
  /** What threads run, `local/thread.ts` or what imports it; that by itself if left out. */
  threadScript?: URL | undefined;
  /** Called with the API before any work begins: what it pauses is not touched. */
  beforeWork?: ((api: Fetch) => Promise<void>) | undefined;
}

export interface Embedded {
  /** The API (docs/api.md), for this process. */
  fetch: Fetch;
  /** Brings all work under way to a checkpoint and gives the folders free. */
  close: () => Promise<void>;
}

/**
 * Starts the whole service on this machine: API, dispatcher and sweeper in this thread, downloads and the planning of
 * uploaded lists in worker threads. What an earlier process left unfinished goes on at once. Errors: `StartError`; what
 * `beforeWork` throws.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const { folders, workers, log } = options;
  const script = options.threadScript ?? new URL('thread.ts', import.meta.url);
  await using stack = new AsyncDisposableStack();

  let wake: () => void = () => undefined;
  let told: () => void = () => undefined;
  const onMessage = (message: FromThread) => {
    switch (message.kind) {
      case 'sent':
        wake();
        return;
      case 'closed':
        log.info(closedLine(message.summary));
        options.onClosed?.(message.summary.id);
        told();
        return;
      case 'warning':
        log.error(`${message.message} ${JSON.stringify(message.details)}`);
    }
  };
  const settings: ThreadSettings = { folders, workers, notify: options.webhook !== undefined };
  // Begun first: threads come up while this one loads and opens the rest. They touch nothing before their first turns.
  const starting = createWorkerPool({
    script,
    settings: { ...settings, role: 'worker', allowedNetworks: options.allowedNetworks },
    clock: systemClock,
    log,
    onMessage,
  });
  // Threads that cannot start are told of where they are waited for.
  const started = starting.catch(() => undefined);
  stack.defer(async () => (await started)?.stop(STOP_GRACE_MS));

  stack.use(await takeFolders(options));
  const stores = await openFolders(options);
  stack.defer(() => stores.close());

  const { webhook } = options;
  const { notices } = stores;
  if (webhook && notices) {
    const notifier = startNotifier({ ...stores, notices, webhook, log });
    told = () => notifier.wake();
    stack.defer(() => notifier.stop());
  }
  const planner = createPlanner({ script, settings, log, onMessage });
  stack.defer(() => planner.stop());
  const service = {
    ...createService(stores, settings, onMessage),
    startPlanner: (batchId: string) => Promise.try(planner.start, batchId),
  };
  await recoverAfterRestart(service);

  const { createApi } = await import('./api.ts');
  const fetch = createApi(service, stores.files, log);
  await options.beforeWork?.(fetch);

  const pool = await starting;
  const dispatcher = createDispatcher({ tickets: service.tickets, pool, clock: service.clock, log });
  wake = () => dispatcher.wake();
  stack.defer(async () => {
    await dispatcher.stop();
    await pool.stop(STOP_GRACE_MS);
    await dispatcher.idle();
  });
  stack.defer(startSweeper(service, log));

  const parts = stack.move();
  return { fetch, close: () => parts.disposeAsync() };
}

type FolderOptions = Pick<EmbeddedOptions, 'folders' | 'folderFlag' | 'webhook'>;

/** Makes the folders and locks them for this process. */
async function takeFolders({ folders, folderFlag }: FolderOptions): Promise<Disposable> {
  try {
    await makeFolders(folders);
    return lockFolder(folders.state);
  } catch (error) {
    if (!(error instanceof FolderInUseError)) throw asStartError(error, folders.root, folderFlag);
    const message = `Another Downburst uses ${folders.root}; stop it, or choose another folder with ${folderFlag}.`;
    throw new StartError(message, { cause: error });
  }
}

/** Opens the stores of folders that are this process's own, and clears what dead processes left in them. */
async function openFolders({ folders, folderFlag, webhook }: FolderOptions): Promise<Stores> {
  try {
    const stores = openStores(folders, webhook !== undefined);
    await removeLeftovers(folders, stores);
    await removeOrphans(folders, stores);
    return stores;
  } catch (error) {
    throw asStartError(error, folders.root, folderFlag);
  }
}

const TROUBLES: Record<string, string> = {
  EACCES: 'may not be used by this user',
  EADDRINUSE: 'is taken by another program',
  EEXIST: 'is a file and not a folder',
  // What Node says of a folder that cannot be made, on a disk that cannot be written for one.
  ENOENT: 'cannot be made',
  ENOSPC: 'is on a disk that is full',
  ENOTDIR: 'lies in a file and not in a folder',
  EPERM: 'may not be used by this user',
  EROFS: 'is on a disk that cannot be written',
};

/** By SQLite's result codes. */
const DATABASE_TROUBLES: Record<number, string> = {
  [SQLITE_READONLY]: 'is on a disk that cannot be written',
  [SQLITE_IOERR]: 'is on a disk that fails or is full',
  [SQLITE_CORRUPT]: 'holds a damaged database',
  [SQLITE_FULL]: 'is on a disk that is full',
  [SQLITE_NOTADB]: 'holds a damaged database',
};

/**
 * A system's error as a sentence, where a user can do something about it.
 *
 * @param what the folder or port
 * @param flag with which the user chooses another one
 */
export function asStartError(error: unknown, what: string, flag: string): unknown {
  const named = error instanceof Error && 'code' in error ? TROUBLES[String(error.code)] : undefined;
  const trouble = named ?? DATABASE_TROUBLES[resultCodeOf(error) ?? 0];
  return trouble === undefined
    ? error
    : new StartError(`${what} ${trouble}; choose another one with ${flag}.`, { cause: error });
}

/** Sweeps at once and then every minute; answers how to end it. */
function startSweeper(service: PlanningService, log: Log): () => Promise<void> {
  const stop = new AbortController();
  const ended = (async () => {
    while (!stop.signal.aborted) {
      await sweep(service).catch((error: unknown) => log.error('the sweeper failed', error));
      await service.clock.sleep(SWEEP_INTERVAL_MS, stop.signal).catch(() => undefined);
    }
  })();
  return async () => {
    stop.abort();
    await ended;
  };
}

function closedLine(summary: Summary): string {
  const { id, state, done, failed, skipped, cancelled, bytes } = summary;
  return `batch ${id} ${state}: ${done} done (${bytes} bytes), ${failed} failed, ${skipped} skipped, ${cancelled} cancelled`;
}
