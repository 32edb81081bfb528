import { bytesOf, keepByteLimit } from '../batch/byte-limit.ts';
import type { BatchRecord, ShardRecord } from '../model/records.ts';
import type { Ledger } from '../ports/ledger.ts';

/** Between two readings of one turn, at least. */
const READING_MS = 15_000;

/**
 * Watches, for a turn, over what all shards of its batch have stored. A reading is a query over up to a thousand
 * records, so it is made only when it can find something: when this shard has stored its even share of the limit, and
 * then each time that it has stored its even share of what was left at the last reading. If none has, the limit is not
 * passed while all shards store alike; the sweeper looks once a minute, however unlike they are.
 */
export function createByteWatch(ledger: Ledger, now: () => number) {
  let readAt = -Infinity;
  let bytesThen = 0;
  /** What this shard may store before the next reading; at first its part of the whole limit. */
  let share: number | undefined;

  /** The batch's record, paused if its limit is passed. */
  return async function keep(batch: BatchRecord, shard: ShardRecord): Promise<BatchRecord> {
    const { maxTotalBytes } = batch.options;
    if (maxTotalBytes === undefined || batch.state !== 'running') return batch;
    share ??= Math.max(1, maxTotalBytes / Math.max(1, batch.shardCount));
    if (shard.bytes - bytesThen < share || now() - readAt < READING_MS) return batch;
    const read = await ledger.readBatch(batch.id);
    if (!read) return batch;
    readAt = now();
    bytesThen = shard.bytes;
    const open = read.shards.filter(({ finishedAt }) => finishedAt === undefined).length;
    share = Math.max(1, (maxTotalBytes - bytesOf(read.shards)) / Math.max(1, open));
    return keepByteLimit(ledger, read);
  };
}
