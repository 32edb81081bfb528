import type { BatchOptions } from './options.ts';
import type { FailureCode } from './failure.ts';
import type { ListFormat } from './list-format.ts';

/**
 * A batch's state: `planning` until all its shard records exist, `paused` and `cancelling` by request; once it is closed
 * `cancelled`, `finished`, or `rejected` where its list could not be used.
 */
export type BatchState = 'planning' | 'rejected' | 'running' | 'paused' | 'cancelling' | 'cancelled' | 'finished';

/** How many entries ended how. None of these numbers ever goes back. */
export interface Counts {
  done: number;
  failed: number;
  skipped: number;
  cancelled: number;
  /** Bytes of the `done` ones. */
  bytes: number;
  /** The `failed` ones by code. */
  failures: Partial<Record<FailureCode, number>>;
}

/** A list that is the same whoever reads it and whenever, so that a planner can be begun again. */
export type PinnedList = UploadedList | FailedList;

/** An uploaded list, in the version that a batch was begun with. */
export interface UploadedList {
  kind: 'uploaded';
  id: string;
  etag: string;
  bytes: number;
  format: ListFormat;
}

/** The failed entries of a closed batch, in which nothing changes any more. */
export interface FailedList {
  kind: 'failed';
  batchId: string;
  /** Those that failed with one of these. */
  codes: readonly FailureCode[];
}

export interface BatchRecord {
  id: string;
  /** Raised by one with every update. */
  rev: number;
  name?: string | undefined;
  state: BatchState;
  /** Why it was paused, if not by request: it has stored more than its `maxTotalBytes`. */
  reason?: 'BYTE_LIMIT' | undefined;
  /** Milliseconds since the epoch, like every time in a record. */
  createdAt: number;
  /** When what is left fails as `DEADLINE`. */
  deadline: number;
  /** Entries, without duplicates; 0 until the list is read. */
  total: number;
  /** Lines left out because an earlier one has the same URL and key. */
  duplicates: number;
  shardCount: number;
  /** Source hosts in all. */
  hostCount: number;
  /** A few of those with the most entries, and how many. */
  topHosts?: Readonly<Record<string, number>> | undefined;
  /** Of these, the ones that another open batch worked when this one was submitted, with its id. */
  sharedHosts?: Readonly<Record<string, string>> | undefined;
  options: BatchOptions;
  /** Whether request headers of the whole batch wait under `secrets/`. */
  hasSecrets: boolean;
  /** The claim of the idempotency key that it was asked for with. */
  claim?: string | undefined;
  /** The list that a planner reads, if the entries did not come with the request. */
  list?: PinnedList | undefined;
  /** Entries of it that were read; never goes back. */
  linesPlanned?: number | undefined;
  /** The planner's last sign of life, and how many planners have begun. */
  plannedAt?: number | undefined;
  plannings?: number | undefined;
  /** When a cancel was asked for. */
  cancelledAt?: number | undefined;
  closedAt?: number | undefined;
  notifiedAt?: number | undefined;
  /** When it was to be deleted: who finds it so and open goes on with that. */
  deletedAt?: number | undefined;
  /** The sums, from when the batch is closed. */
  final?: Counts | undefined;
}

/** What an idempotency key stands for: one request, and the batch that it started or is about to start. */
export interface ClaimRecord {
  /** SHA-256 of the key, in hex. */
  key: string;
  /** Raised by one with every update. */
  rev: number;
  /** SHA-256 of the request, in hex; absent once it was refused: the key is then as good as new. */
  request?: string | undefined;
  /** The id that the batch has or will have, whoever starts it in the end. */
  batchId: string;
  /** A token of who is starting it: who finds it after a lost answer knows that the write was its own. */
  holder: string;
  /** Who has not started the batch by then has died. */
  leaseUntil: number;
  /** The batch was there and was deleted: it is not started again. */
  deleted?: boolean | undefined;
  /** When the key was first sent, and when it is forgotten. */
  claimedAt: number;
  expiresAt: number;
}

/** A shard's hold by one turn of one ticket. */
export interface Owner {
  /** The ticket's message id. */
  ticket: string;
  /** A token of this very turn: who finds it after a lost answer knows that the write was its own. */
  turn: string;
}

/**
 * Help that a shard has asked for: another worker fetches some parts of one of its large files, in one turn. It counts
 * nothing, and is held once: whoever it was, what ends it ends it for good.
 */
export interface HelperRecord {
  batchId: string;
  /** `F{index}.{n}`: the n-th that was asked for the file of the entry `index`. */
  name: string;
  /** The shard that asked for it, and names it for as long as it is not known to have ended. */
  shard: number;
  /** Raised by one with every update. */
  rev: number;
  askedAt: number;
  /** Who took it, once. */
  owner?: Owner | undefined;
  leaseUntil: number;
  /** Key of the newest object with the parts that have landed, if any have. */
  landed?: string | undefined;
  /** Milliseconds that its worker has worked for it, up to its last checkpoint. */
  workedMs?: number | undefined;
  /** The shard wants its parts back; its worker ends at the next look. */
  recalled?: boolean | undefined;
  /** By its worker, or by the shard that took its parts back from nobody, or from who has died. */
  endedAt?: number | undefined;
  /** What it ended of, if not of being done: the source may have said when to come back. */
  fault?: { code: FailureCode; httpStatus?: number | undefined; retryAt?: number | undefined } | undefined;
}

export interface ShardRecord extends Counts {
  batchId: string;
  shard: number;
  /** Raised by one with every update. */
  rev: number;
  /** The shard's bytes of the manifest: `from` up to, not including, `to`. */
  from: number;
  to: number;
  /** Entries in that range. */
  total: number;
  /** Source hosts in that range. */
  hosts: number;
  /** Requests that a turn may have under way at once, and how many of them to one planned host. */
  connections: number;
  connectionsPerHost: number;

  /** Bytes before it are started or set aside. */
  cursor: number;
  /** Started entries that wait for another attempt. */
  retrying: number;
  /** Bytes of waiting entries that are in the store: parts of files that are not whole. */
  partialBytes?: number | undefined;
  /** Checkpoints that wrote results; names the newest results object. */
  seq: number;
  /** Raised with every lease. */
  epoch: number;
  owner?: Owner | undefined;
  leaseUntil: number;
  /** When the next turn has something to do. */
  wakeAt: number;
  /** Whether a ticket of this shard should be in the queue; if not, the sweeper sends one when it is due. */
  ticketed: boolean;
  /** When the sweeper last sent a spare ticket. */
  sweptAt?: number | undefined;
  /** Key of the newest waiting object, if entries wait. */
  waiting?: string | undefined;
  /** Names of the helpers that are out for the one file of the shard that has any. */
  helpers?: readonly string[] | undefined;
  /** Leases that ran out, since the last clean release or progress. */
  crashes: number;
  /** Only entries are left that lead into hosts planned for other shards; set once, never taken back. */
  abroad?: boolean | undefined;
  /** Speed over about the last minute, and when it was measured. */
  rate?: { filesPerSecond: number; bytesPerSecond: number; at: number } | undefined;
  /** Milliseconds of all turns together, up to their last checkpoints, and of helpers that have ended. */
  workedMs?: number | undefined;
  finishedAt?: number | undefined;
}

/** What of a shard says how far it is. */
export type ShardProgress = Pick<
  ShardRecord,
  | keyof Counts
  | 'shard'
  | 'total'
  | 'hosts'
  | 'connections'
  | 'retrying'
  | 'partialBytes'
  | 'owner'
  | 'leaseUntil'
  | 'rate'
  | 'finishedAt'
>;

/** Entries of a shard without an outcome. */
export function pendingOf(shard: ShardProgress): number {
  return shard.total - shard.done - shard.failed - shard.skipped - shard.cancelled;
}

/** Counts of nothing. */
export function noCounts(): Counts {
  return { done: 0, failed: 0, skipped: 0, cancelled: 0, bytes: 0, failures: {} };
}

/** The sum of counts. */
export function sumCounts(all: Iterable<Counts>): Counts {
  const sum = noCounts();
  for (const counts of all) {
    sum.done += counts.done;
    sum.failed += counts.failed;
    sum.skipped += counts.skipped;
    sum.cancelled += counts.cancelled;
    sum.bytes += counts.bytes;
    for (const [code, n] of Object.entries(counts.failures) as [FailureCode, number][]) {
      sum.failures[code] = (sum.failures[code] ?? 0) + n;
    }
  }
  return sum;
}
