import { lookup } from 'node:dns/promises';
import { parentPort, workerData } from 'node:worker_threads';
import ipaddr from 'ipaddr.js';
import { createByteBudget } from '../core/download/byte-budget.ts';
import { createDownloader, type DownloaderDeps } from '../core/download/create-downloader.ts';
import { runTurn } from '../core/turn/turn.ts';
import type { TurnDeps } from '../core/turn/turn.ts';
import type { FromWorker, ToWorker, WorkerSettings } from './messages.ts';
import { createService } from './service.ts';
import { budgetBytesFor, helpFor, LEAST_PART_BYTES, openStores } from './stores.ts';

/** Nothing kills a thread after a time; a turn is long enough for a large file over a slow line. */
const TURN_MS = 24 * 60 * 60 * 1000;

/** How a worker thread fetches large files. */
export type LargeFiles = Pick<DownloaderDeps, 'leastPartBytes' | 'splitBytes' | 'help'>;

/**
 * Makes this thread a worker: it takes turns that the main thread hands it, with connections and a byte budget of its own.
 *
 * @param largeFiles as suits a thread of so many, if left out
 */
export function startWorker(largeFiles?: LargeFiles): void {
  const port = parentPort;
  if (!port) throw new Error('This is started as a worker thread.');
  const post = (message: FromWorker) => port.postMessage(message);

  const settings = workerData as WorkerSettings;
  let opened: ReturnType<typeof open> | undefined;

  /** By the first turn: before that the folders may be another process's. */
  function open() {
    const { workers } = settings;
    const stores = openStores(settings.folders, settings.notify);
    const downloader = createDownloader({
      files: stores.files,
      clock: stores.clock,
      budget: createByteBudget(budgetBytesFor(workers)),
      resolve: (hostname) => lookup(hostname, { all: true }),
      allowedNetworks: settings.allowedNetworks.map((cidr) => ipaddr.parseCIDR(cidr)),
      ...(largeFiles ?? { leastPartBytes: LEAST_PART_BYTES, help: helpFor(workers) }),
    });
    const { download, fetchParts } = downloader;
    const deps: TurnDeps = { ...createService(stores, settings, post), download, fetchParts };
    const close = async () => {
      await downloader.close();
      stores.close();
    };
    return { deps, close };
  }

  const stop = new AbortController();
  const turns = new Set<Promise<void>>();

  port.on('message', (message: ToWorker) => {
    if (message.kind === 'stop') {
      void end();
      return;
    }
    const turn = takeTurn(message).finally(() => turns.delete(turn));
    turns.add(turn);
  });
  post({ kind: 'ready' });

  async function takeTurn({ turn, delivery }: Extract<ToWorker, { kind: 'turn' }>): Promise<void> {
    try {
      const { deps } = (opened ??= open());
      const bounds = { deadline: deps.clock.now() + TURN_MS, stop: stop.signal };
      post({ kind: 'ended', turn, result: await runTurn(deps, delivery, bounds) });
    } catch (error) {
      post({ kind: 'failed', turn, error: error instanceof Error ? error : String(error) });
    }
  }

  async function end(): Promise<void> {
    stop.abort();
    await Promise.all(turns);
    await opened?.close();
    port?.close();
  }
}
