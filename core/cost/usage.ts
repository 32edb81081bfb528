import { SINGLE_PUT_BYTES } from '../download/object-writer.ts';
import { CHECKPOINT_MS } from '../model/limits.ts';

/** What a batch uses of services that are paid for. */
export interface Usage {
  /** Of the workers. */
  gbSeconds: number;
  turns: number;
  s3Writes: number;
  s3Reads: number;
  /** Units of 1 KB. */
  recordWrites: number;
  /** Units of 4 KB. */
  recordReads: number;
  sqsRequests: number;
}

/** What is known of a batch's work, all shards together, afterwards or by estimate. */
export interface Work {
  shards: number;
  turns: number;
  /** Of all turns. */
  workedMs: number;
  /** Writes of shard records. */
  checkpoints: number;
  /** Checkpoints with outcomes. */
  results: number;
  /** Files that were stored, and their bytes. */
  files: number;
  bytes: number;
  /** Entries whose key was looked up first. */
  lookedUp: number;
  /** Bytes of the list. */
  manifestBytes: number;
}

/** Bytes of the manifest that a worker reads at once. */
const BLOCK_BYTES = 256 * 1024;
/** Shard records of 1 KB that one unit reads. */
const RECORDS_PER_UNIT = 4;

/**
 * The requests that a batch's work takes, as the protocol makes them (docs/design.md, "Turn"): near enough for a bill,
 * above rather than below it.
 *
 * @param workerMb memory of a worker, in MB
 */
export function usageOf(work: Work, workerMb: number): Usage {
  const { shards, turns, workedMs, checkpoints, results, files, bytes, lookedUp, manifestBytes } = work;
  /** Every shard that ends looks for one that has not, on both sides (core/batch/close.ts); the last one reads all. */
  const closingReads =
    shards * (2 + Math.log2(Math.max(1, shards)) / RECORDS_PER_UNIT) + (3 * shards) / RECORDS_PER_UNIT;
  const looks = workedMs / CHECKPOINT_MS;
  return {
    gbSeconds: (workedMs / 1000) * (workerMb / 1024),
    turns,
    // A file is one PUT, and one more for each further part; beside results there can be a waiting list. The rest is
    // the plan and what closing writes.
    s3Writes: files + bytes / SINGLE_PUT_BYTES + 2 * results + 6,
    s3Reads: lookedUp + manifestBytes / BLOCK_BYTES + 2 * turns + results,
    recordWrites: checkpoints + shards + 6,
    recordReads: looks + 3 * turns + closingReads,
    // Received, hidden and deleted; hidden again by every checkpoint; and sent.
    sqsRequests: 3 * turns + checkpoints + shards,
  };
}
