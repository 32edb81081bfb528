import type { BatchRecord, ClaimRecord, HelperRecord, ShardProgress, ShardRecord } from '../model/records.ts';

/**
 * The store of batch, shard and helper records, and of claims. Every read sees every write that was answered before.
 *
 * A record is replaced only as a whole and only by who has read it: `replace…` takes a record whose `rev` is one
 * higher than the one read. An update is thus absolute, never an increment, and landing it twice is landing it once.
 * A call that throws may have landed; its caller reads the record to find out.
 */
export interface Ledger {
  /**
   * Adds a batch, its place in the list of batches and among the open ones; `false` if the id is taken.
   * A crash half-way leaves at most an open item without a batch, which the sweeper drops.
   */
  createBatch(batch: BatchRecord): Promise<boolean>;
  getBatch(batchId: string): Promise<BatchRecord | undefined>;
  /** Lands only if the stored `rev` is `next.rev - 1`; `false` otherwise. */
  replaceBatch(next: BatchRecord): Promise<boolean>;

  /** `false` if the shard exists; it is then left as it is. */
  createShard(shard: ShardRecord): Promise<boolean>;
  getShard(batchId: string, shard: number): Promise<ShardRecord | undefined>;
  /** Lands only if the stored `rev` is `next.rev - 1`; `false` otherwise. */
  replaceShard(next: ShardRecord): Promise<boolean>;

  /** A batch and its shards, ordered by number, or the first `limit` of them, by one query. */
  readBatch(batchId: string, limit?: number): Promise<{ batch: BatchRecord; shards: ShardRecord[] } | undefined>;
  /** The same, of shards at least what says how far they are. */
  readProgress(batchId: string): Promise<{ batch: BatchRecord; shards: ShardProgress[] } | undefined>;
  /**
   * Up to `limit` of a batch's shards, from number `from` on upwards, or `descending`: in that order, and fewer only where
   * there are no more of them on that side.
   */
  readShards(
    batchId: string,
    page: { from: number; limit: number; descending?: boolean | undefined },
  ): Promise<ShardRecord[]>;
  /** Up to `limit` batches, newest first, older than `before`. */
  listBatches(page: { limit: number; before?: string | undefined }): Promise<BatchListItem[]>;

  /** Ids of batches that the sweeper has to look at. */
  listOpen(): Promise<string[]>;
  /** Ends the sweeper's interest in a batch; doing it twice is fine. */
  dropOpen(batchId: string): Promise<void>;

  /** `false` if the helper exists; it is then left as it is. No reading of shards shows it. */
  createHelper(helper: HelperRecord): Promise<boolean>;
  getHelper(batchId: string, name: string): Promise<HelperRecord | undefined>;
  /** Lands only if the stored `rev` is `next.rev - 1`; `false` otherwise. */
  replaceHelper(next: HelperRecord): Promise<boolean>;
  /** Doing it twice is fine. */
  removeHelper(batchId: string, name: string): Promise<void>;

  /**
   * Removes a batch: its record first, then its place in the list, its shards and its helpers. It becomes open before, so that a
   * crash half-way leaves an open item without a batch. Doing it twice is fine.
   */
  removeBatch(batchId: string): Promise<void>;

  /** A claim by its key; one that has expired may be there or not. */
  getClaim(key: string): Promise<ClaimRecord | undefined>;
  /** Lands only if the stored `rev` is `next.rev - 1`, and with the first `rev` only if there is none; `false` otherwise. */
  putClaim(next: ClaimRecord): Promise<boolean>;
}

export interface BatchListItem {
  id: string;
  name?: string | undefined;
  createdAt: number;
}
