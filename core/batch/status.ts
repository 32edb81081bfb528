import { UnknownBatchError } from '../model/errors.ts';
import type { BatchOptions } from '../model/options.ts';
import { sumCounts, type BatchRecord, type BatchState, type Counts, type ShardProgress } from '../model/records.ts';
import { readRejection, type Rejection } from './rejection.ts';
import type { Service } from './service.ts';
import { warningsOf } from './warnings.ts';

/** A shard whose last checkpoint is older no longer counts towards the batch's speed. */
const RATE_AGE_MS = 60_000;

/**
 * How far a batch is. Times in milliseconds since the epoch. `bytes` are those of `done` entries and of the parts of
 * large files that are in the store; they go back where a file has to be begun anew.
 */
export interface BatchStatus extends Counts {
  id: string;
  name?: string | undefined;
  state: BatchState;
  reason?: BatchRecord['reason'];
  retryOf?: string | undefined;
  deadline: number;
  createdAt: number;
  finishedAt?: number | undefined;
  /** `done + failed + skipped + cancelled + pending`, at every moment. */
  total: number;
  duplicates: number;
  /** Entries that were read of a list which is being planned. */
  linesPlanned?: number | undefined;
  /** Why the batch was rejected. */
  rejection?: Rejection | undefined;
  pending: number;
  /** Pending ones that were tried or are under way. */
  retrying: number;
  /** Over about the last minute. */
  rate: Speed;
  /** Since the batch was submitted, until it is closed. */
  averageRate: Speed;
  etaSeconds?: number | undefined;
  shards: { total: number; finished: number; working: number };
  options: BatchOptions;
  warnings: string[];
}

export interface Speed {
  filesPerSecond: number;
  bytesPerSecond: number;
}

/**
 * Adds up a batch's shards, by one query of the ledger; of a rejected batch the reason is read as well.
 *
 * @throws UnknownBatchError
 */
export async function batchStatus(
  { ledger, state, clock }: Pick<Service, 'ledger' | 'state' | 'clock'>,
  batchId: string,
): Promise<BatchStatus> {
  const read = await ledger.readProgress(batchId);
  if (!read) throw new UnknownBatchError(batchId);
  const { batch, shards } = read;
  const now = clock.now();
  const counts = batch.final ?? sumCounts(shards);
  const pending = batch.total - counts.done - counts.failed - counts.skipped - counts.cancelled;
  const rate = rateOf(shards, now);
  const known = batch.state === 'running' && pending > 0 && rate.filesPerSecond > 0;
  return {
    id: batch.id,
    ...(batch.name !== undefined && { name: batch.name }),
    state: batch.state,
    ...(batch.list?.kind === 'failed' && { retryOf: batch.list.batchId }),
    ...(batch.reason !== undefined && { reason: batch.reason }),
    deadline: batch.deadline,
    createdAt: batch.createdAt,
    ...(batch.closedAt !== undefined && { finishedAt: batch.closedAt }),
    total: batch.total,
    duplicates: batch.duplicates,
    ...(batch.state === 'planning' && { linesPlanned: batch.linesPlanned }),
    ...(batch.state === 'rejected' && { rejection: await readRejection(state, batchId) }),
    ...counts,
    bytes: counts.bytes + sum(shards, (shard) => shard.partialBytes ?? 0),
    pending,
    retrying: sum(shards, (shard) => shard.retrying),
    rate,
    averageRate: averageOf(counts, (batch.closedAt ?? now) - batch.createdAt),
    ...(known && { etaSeconds: Math.ceil(pending / rate.filesPerSecond) }),
    shards: {
      total: batch.shardCount,
      finished: sum(shards, (shard) => Number(shard.finishedAt !== undefined)),
      working: sum(shards, (shard) => Number(shard.owner !== undefined && shard.leaseUntil > now)),
    },
    options: batch.options,
    warnings: warningsOf(batch, shards, rate.filesPerSecond),
  };
}

function averageOf({ done, failed, skipped, bytes }: Counts, ms: number): Speed {
  const perSecond = (n: number) => (ms > 0 ? Math.round((100_000 * n) / ms) / 100 : 0);
  return { filesPerSecond: perSecond(done + failed + skipped), bytesPerSecond: Math.round(perSecond(bytes)) };
}

function rateOf(shards: readonly ShardProgress[], now: number): Speed {
  const recent = shards.flatMap(({ rate, owner }) => (owner && rate && rate.at > now - RATE_AGE_MS ? [rate] : []));
  return {
    filesPerSecond: sum(recent, (rate) => rate.filesPerSecond),
    bytesPerSecond: sum(recent, (rate) => rate.bytesPerSecond),
  };
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}

export interface BatchListEntry {
  id: string;
  name?: string | undefined;
  state: BatchState;
  createdAt: number;
  finishedAt?: number | undefined;
  total: number;
  /** How many entries failed, once it is closed. */
  failed?: number;
}

/** A page of batches, newest first. The cursor is the id of the last batch of the page before. */
export async function listBatches(
  { ledger }: Pick<Service, 'ledger'>,
  { limit, cursor }: { limit: number; cursor?: string | undefined },
): Promise<{ batches: BatchListEntry[]; nextCursor?: string }> {
  const items = await ledger.listBatches({ limit: limit + 1, before: cursor });
  const page = items.slice(0, limit);
  const records = await Promise.all(page.map(({ id }) => ledger.getBatch(id)));
  const batches = records.flatMap((batch): BatchListEntry[] => {
    if (!batch) return [];
    const { id, name, state, createdAt, closedAt, total, final } = batch;
    const optional = {
      ...(name !== undefined && { name }),
      ...(closedAt !== undefined && { finishedAt: closedAt }),
      ...(final && { failed: final.failed }),
    };
    return [{ id, state, createdAt, total, ...optional }];
  });
  const last = items.length > limit ? page.at(-1) : undefined;
  return { batches, ...(last && { nextCursor: last.id }) };
}
