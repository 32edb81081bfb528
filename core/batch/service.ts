import type { Cost } from '../cost/cost.ts';
import type { Billing } from '../cost/prices.ts';
import type { PublicOptions } from '../model/options.ts';
import type { Counts } from '../model/records.ts';
import type { Clock } from '../ports/clock.ts';
import type { Ledger } from '../ports/ledger.ts';
import type { Meter } from '../ports/meter.ts';
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
  /** How the deployment is paid for; left out where nothing is. */
  billing?: Billing | undefined;
  /** Tells the world that a batch is closed. At least once per batch; it may throw to be called again. */
  announce: (summary: Summary) => Promise<void>;
  /** Tells the operator of something that should not happen. Details hold no secrets. */
  warn: (message: string, details: Record<string, unknown>) => void;
  /** Left out where nobody looks at metrics. */
  meter?: Meter | undefined;
}

/** What those need besides who begin with uploaded lists, or bring them on. */
export interface PlanningService extends Service {
  /** Has `planList` called, elsewhere and soon; resolves once that is asked for. */
  startPlanner: (batchId: string) => Promise<void>;
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
  /** Turns that can be under way at once. */
  maxTurns: number;
}

/** How a batch ended: written as `summary.json`, and told to who waits for it. Times are ISO 8601. */
export interface Summary extends Counts {
  id: string;
  name?: string | undefined;
  state: 'finished' | 'cancelled' | 'rejected';
  createdAt: string;
  /** When the last of its entries ended. */
  finishedAt: string;
  total: number;
  duplicates: number;
  options: PublicOptions;
  /** Where anything is paid for. */
  cost?: Cost | undefined;
}
