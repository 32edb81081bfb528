import { chmod, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createFileStore, removeStale, type FileStore } from '../adapters/files/file-store.ts';
import { createSqliteLedger } from '../adapters/sqlite/ledger.ts';
import { createSqliteNotices, type Notices } from '../adapters/sqlite/notices.ts';
import { createSqliteTickets } from '../adapters/sqlite/tickets.ts';
import { systemClock } from '../adapters/system-clock.ts';
import type { DeploymentLimits, Service } from '../core/batch/service.ts';
import { openUploads } from '../core/batch/uploads.ts';
import { helpFrom, type HelpSettings } from '../core/download/help-wanted.ts';
import { DEFAULT_OPTIONS, OPTION_RANGES } from '../core/model/options.ts';
import { TURNS_PER_THREAD } from './worker-pool.ts';

/** Where a service keeps everything. */
export interface Folders {
  /** What the user named; the others are in it, or the same. */
  root: string;
  /** Downloaded files, by prefix and key: the user's. */
  files: string;
  /** All else: the service's own. Below `files` it is no key's. */
  state: string;
}

/** The folders of a service that keeps files and state side by side. */
export function foldersIn(root: string): Folders {
  return { root, files: join(root, 'files'), state: join(root, 'state') };
}

/** What the state is made of. */
export function layout({ state }: Folders) {
  return {
    objects: join(state, 'objects'),
    ledger: join(state, 'ledger.sqlite'),
    tickets: join(state, 'tickets.sqlite'),
    notices: join(state, 'notices.sqlite'),
    temp: join(state, 'temp'),
    headers: join(state, 'headers'),
  };
}

/** Makes the folders. The state may hold secrets, in URLs and request headers: only its owner may look. */
export async function makeFolders({ files, state }: Folders): Promise<void> {
  await mkdir(files, { recursive: true });
  await mkdir(state, { recursive: true });
  await chmod(state, 0o700);
}

/**
 * Removes what a killed process left half written, but for the uploads that open batches go on with. Only for the
 * folder's owner, before any work begins.
 */
export async function removeLeftovers(folders: Folders, stores: Stores): Promise<void> {
  const { temp } = layout(folders);
  await removeStale(join(temp, 'objects'));
  await removeStale(join(temp, 'files'), await openUploads(stores));
}

/**
 * Removes what submissions wrote that died before there was a batch: nothing else knows of it. Only for the folder's
 * owner, before any submission.
 */
export async function removeOrphans(folders: Folders, { ledger, state }: Stores): Promise<void> {
  // From the folder, since listing the store would go through every object of every batch.
  const batchIds = await readdir(join(layout(folders).objects, 'batches')).catch(() => []);
  for (const batchId of batchIds) {
    if (await ledger.getBatch(batchId)) continue;
    for await (const key of state.list(`batches/${batchId}/`)) await state.delete(key);
  }
}

export type Stores = Pick<Service, 'ledger' | 'tickets' | 'state' | 'clock' | 'random'> & {
  files: FileStore;
  /** Where somebody is told of closed batches. */
  notices: Notices | undefined;
  close: () => void;
};

/**
 * A thread's own connections to the state.
 *
 * @param notify whether somebody is to be told of closed batches
 */
export function openStores(folders: Folders, notify = false): Stores {
  const paths = layout(folders);
  const { objects, temp, headers } = paths;
  const ledger = createSqliteLedger(paths.ledger);
  const tickets = createSqliteTickets(paths.tickets, systemClock);
  const notices = notify ? createSqliteNotices(paths.notices) : undefined;
  return {
    ledger,
    tickets,
    notices,
    state: createFileStore({ root: objects, tempRoot: join(temp, 'objects'), metadataRoot: join(headers, 'objects') }),
    files: createFileStore({
      root: folders.files,
      tempRoot: join(temp, 'files'),
      metadataRoot: join(headers, 'files'),
      reserved: [folders.state],
    }),
    clock: systemClock,
    random: Math.random,
    close() {
      ledger.close();
      tickets.close();
      notices?.close();
    },
  };
}

const MIB = 1024 ** 2;
/** Memory for the bodies of all downloads, dealt out among the worker threads. */
const BUDGET_BYTES = 192 * MIB;
/**
 * A thread's most: parts of 4 MiB from 16 connections, and eight on their way to the disk. With less the rooms that fill take their
 * pages from each other over and over, which costs more than all copies.
 */
const MAX_BUDGET_BYTES = 96 * MIB;
/** A thread's least: two parts of 8 MiB, one that comes in while the other goes out, and some for small files. */
const MIN_BUDGET_BYTES = 20 * MIB;
/**
 * Bytes of the smallest part: half of what S3 is sent, so that 16 connections of one file fit into the budget of a thread
 * of two. A folder takes parts of any size.
 */
export const LEAST_PART_BYTES = 4 * MIB;

/** Bytes in which one of `workers` threads keeps the bodies of all its downloads. */
export function budgetBytesFor(workers: number): number {
  return Math.min(MAX_BUDGET_BYTES, Math.max(MIN_BUDGET_BYTES, Math.floor(BUDGET_BYTES / workers)));
}

/**
 * What one thread brings at least where nothing but itself holds it up: half of what bench/split.ts sees on two cores of a small
 * server, 838 MB/s over 64 connections.
 */
const THREAD_BYTES_PER_SECOND = 400e6;

/** When one of `workers` threads asks others to help with a large file; a single one has nobody to ask. */
export function helpFor(workers: number): HelpSettings | undefined {
  return workers > 1 ? helpFrom(THREAD_BYTES_PER_SECOND) : undefined;
}

/** Connections of a shard that works many small hosts: what one event loop holds with ease. */
const MIXED_CONNECTIONS = 64;

/**
 * How work is dealt out among worker threads: one shard of a host for each, and room for a second batch. A shard has an entry
 * for each connection at least: with fewer, a large file among them would lack those that another shard has no use for.
 */
export function limitsFor(workers: number): DeploymentLimits {
  const connectionsPerShard = Math.ceil(DEFAULT_OPTIONS.connectionsPerHost / workers);
  return {
    maxShards: 2 * workers,
    minEntriesPerShard: connectionsPerShard,
    connectionsPerShard,
    connectionsPerMixedShard: MIXED_CONNECTIONS,
    maxConnectionsPerHost: OPTION_RANGES.connectionsPerHost.max,
    maxTurns: workers * TURNS_PER_THREAD,
  };
}
