import { v7 } from 'uuid';
import { DEFAULT_OPTIONS } from '../../core/model/options.ts';
import {
  noCounts,
  type BatchRecord,
  type ClaimRecord,
  type HelperRecord,
  type ShardRecord,
} from '../../core/model/records.ts';

/** A batch as a submit writes it, created at `createdAt`. */
export function batchRecord(changes: Partial<BatchRecord> = {}): BatchRecord {
  const createdAt = changes.createdAt ?? Date.UTC(2030, 0, 1);
  const id = v7({ msecs: createdAt });
  return {
    id,
    rev: 1,
    name: 'kittens',
    state: 'planning',
    createdAt,
    deadline: createdAt + 60_000,
    total: 10,
    duplicates: 1,
    shardCount: 2,
    hostCount: 2,
    options: { ...DEFAULT_OPTIONS, prefix: `${id}/`, ownPrefix: true, contentTypes: ['image/*', 'application/pdf'] },
    hasSecrets: false,
    ...changes,
  };
}

/** A shard as a plan writes it. */
export function shardRecord(batchId: string, shard: number, changes: Partial<ShardRecord> = {}): ShardRecord {
  return {
    ...noCounts(),
    batchId,
    shard,
    rev: 1,
    from: 0,
    to: 1000,
    total: 5,
    hosts: 1,
    connections: 16,
    connectionsPerHost: 16,
    cursor: 0,
    retrying: 0,
    seq: 0,
    epoch: 0,
    leaseUntil: 0,
    wakeAt: 0,
    ticketed: true,
    crashes: 0,
    ...changes,
  };
}

/** A helper as a shard offers it. */
export function helperRecord(batchId: string, name: string, changes: Partial<HelperRecord> = {}): HelperRecord {
  return { batchId, name, shard: 0, rev: 1, askedAt: Date.UTC(2030, 0, 1), leaseUntil: 0, ...changes };
}

/** A claim as the first request with its key makes it. */
export function claimRecord(key: string, changes: Partial<ClaimRecord> = {}): ClaimRecord {
  const claimedAt = changes.claimedAt ?? Date.UTC(2030, 0, 1);
  return {
    key,
    rev: 1,
    request: 'r',
    batchId: v7({ msecs: claimedAt }),
    holder: 'h',
    leaseUntil: claimedAt + 60_000,
    claimedAt,
    expiresAt: claimedAt + 24 * 60 * 60 * 1000,
    ...changes,
  };
}
