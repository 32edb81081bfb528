import type { BatchOptions } from '../model/options.ts';
import type { Clock } from '../ports/clock.ts';
import type { Ledger } from '../ports/ledger.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import type { Tickets } from '../ports/tickets.ts';

/** What a host gives the core to work with. */
export interface Service {
  ledger: Ledger;
  tickets: Tickets;
  /** Manifests, results and the like. */
  state: ObjectStore;
  /** Where downloaded files go, for giving up what was begun there. */
  files: Pick<ObjectStore, 'abortUpload'>;
  clock: Clock;
  /** Uniform in [0, 1): for jitter and ids. */
  random: () => number;
  limits: DeploymentLimits;
  /** Tells the world that a batch is closed. At least once per batch; it may throw to be called again. */
  announce: (summary: Summary) => Promise<void>;
  /** Tells the operator of something that should not happen. Details hold no secrets. */
  warn: (message: string, details: Record<string, unknown>) => void;
}

/** What a deployment allows, and how it deals work out. */
export interface DeploymentLimits {
  /** The most shards of a batch. */
  maxShards: number;
  /** Entries that make a shard worth its fixed cost; there are smaller ones only for want of entries. */
  minEntriesPerShard: number;
  /** Connections of a shard that works a single host; a host gets as many such shards as it takes. */
  connectionsPerShard: number;
  /** Connections of a shard that works many small hosts. */
  connectionsPerMixedShard: number;
  /** The highest `connectionsPerHost` that a batch may ask for. */
  maxConnectionsPerHost: number;
  /** Batches that may be open at once; any number if left out. */
  maxOpenBatches?: number | undefined;
  /** The `maxTotalBytes` of a batch that names none; none if left out. */
  maxTotalBytes?: number | undefined;
}

/** Written as `summary.json` when a batch closes. */
export interface Summary {
  id: string;
  name?: string | undefined;
  state: 'finished' | 'cancelled';
  createdAt: number;
  finishedAt: number;
  total: number;
  duplicates: number;
  done: number;
  failed: number;
  skipped: number;
  cancelled: number;
  bytes: number;
  failures: Record<string, number>;
  options: BatchOptions;
}
