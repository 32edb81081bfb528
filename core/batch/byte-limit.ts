import { sumCounts, type BatchRecord, type ShardRecord } from '../model/records.ts';
import type { Ledger } from '../ports/ledger.ts';

/** A batch and its shards, as one query of the ledger saw them. */
export interface BatchRead {
  batch: BatchRecord;
  shards: readonly ShardRecord[];
}

/** Bytes of all files that a batch has stored. */
export function bytesOf(shards: readonly ShardRecord[]): number {
  return sumCounts(shards).bytes;
}

/**
 * Pauses a running batch that has stored more than its `maxTotalBytes`.
 *
 * @returns the batch's record, as it then is. If others change it at the same time the next look sees to it.
 */
export async function keepByteLimit(ledger: Ledger, { batch, shards }: BatchRead): Promise<BatchRecord> {
  const { maxTotalBytes = Infinity } = batch.options;
  if (batch.state !== 'running' || bytesOf(shards) <= maxTotalBytes) return batch;
  const next: BatchRecord = { ...batch, rev: batch.rev + 1, state: 'paused', reason: 'BYTE_LIMIT' };
  return (await ledger.replaceBatch(next)) ? next : batch;
}
