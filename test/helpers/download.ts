import { onTestFinished } from 'vitest';
import { parseNetworks } from '../../core/download/address-guard.ts';
import { createByteBudget } from '../../core/download/byte-budget.ts';
import { createDownloader, type Downloader } from '../../core/download/create-downloader.ts';
import type { Job } from '../../core/download/downloader.ts';
import type { Resolver } from '../../core/download/host-addresses.ts';
import type { Entry } from '../../core/model/entry.ts';
import { DEFAULT_OPTIONS, type BatchOptions } from '../../core/model/options.ts';
import type { ByteBudget } from '../../core/download/byte-budget.ts';
import { createManualClock, type ManualClock } from './manual-clock.ts';
import { createMemoryStore, type MemoryStore, type MemoryStoreOptions } from './memory-store.ts';

const MIB = 1024 ** 2;

/** A downloader with all that it needs, which may download from this machine. */
export interface DownloadRig extends Downloader {
  store: MemoryStore;
  clock: ManualClock;
  budget: ByteBudget;
}

export interface DownloadRigOptions {
  budgetBytes?: number;
  allowedNetworks?: string[];
  resolve?: Resolver;
  store?: MemoryStoreOptions;
  leastPartBytes?: number;
  splitBytes?: number;
  lineBytesPerSecond?: number;
  /** A store that is there already. */
  files?: MemoryStore;
}

/** Names that exist: any at all, at 127.0.0.1. */
export const everyNameIsLocal: Resolver = () => Promise.resolve([{ address: '127.0.0.1', family: 4 }]);

/** Sets a downloader up with a driven clock and a store in memory; closed after the running test. */
export function createDownloadRig(options: DownloadRigOptions = {}): DownloadRig {
  const store = options.files ?? createMemoryStore(options.store);
  const clock = createManualClock();
  const budget = createByteBudget(options.budgetBytes ?? 32 * MIB);
  const downloader = createDownloader({
    files: store,
    clock,
    budget,
    resolve: options.resolve ?? everyNameIsLocal,
    allowedNetworks: parseNetworks(options.allowedNetworks ?? ['127.0.0.0/8']),
    ...(options.leastPartBytes !== undefined && { leastPartBytes: options.leastPartBytes }),
    ...(options.splitBytes !== undefined && { splitBytes: options.splitBytes }),
    ...(options.lineBytesPerSecond !== undefined && { lineBytesPerSecond: options.lineBytesPerSecond }),
  });
  onTestFinished(() => downloader.close());
  return { ...downloader, store, clock, budget };
}

export type JobOptions = Partial<Omit<Job, 'entry' | 'options'>> & {
  entry?: Partial<Entry>;
  options?: Partial<BatchOptions>;
};

/** A job for a URL: the first entry of a batch with the default options, stored as `files/a`. */
export function jobFor(url: string, { entry, options, ...rest }: JobOptions = {}): Job {
  return {
    batchId: 'batch-1',
    entry: { index: 1, url, key: 'a', ...entry },
    options: { ...DEFAULT_OPTIONS, prefix: 'files/', ownPrefix: true, ...options },
    headers: {},
    signal: new AbortController().signal,
    enterHost: () => Promise.resolve(),
    ...rest,
  };
}
