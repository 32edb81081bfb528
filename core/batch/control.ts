import { BatchStateError, UnknownBatchError } from '../model/errors.ts';
import { inLanes } from '../model/lanes.ts';
import { pendingOf, type BatchRecord, type BatchState, type ShardRecord } from '../model/records.ts';
import { closeBatch } from './close.ts';
import type { Service } from './service.ts';

/** How often a change of a batch's state is tried again when others change the record at the same time. */
const MAX_TRIES = 20;
/** Shards ended at once: a thousand of them within the time that a caller waits. */
const SHARDS_AT_ONCE = 16;

/**
 * Cancels what is left of a batch: nothing new starts, workers give up what is under way at their next look at the
 * batch, entries without an outcome are counted as cancelled. Cancelling again changes nothing.
 *
 * @throws UnknownBatchError, BatchStateError if the batch has finished
 */
export async function cancelBatch(service: Service, batchId: string): Promise<void> {
  await change(service, batchId, 'cancelling', ['planning', 'running', 'paused'], ['cancelling', 'cancelled']);
  const read = await service.ledger.readBatch(batchId);
  await inLanes(read?.shards ?? [], SHARDS_AT_ONCE, (shard) => endCancelled(service, shard));
  await closeBatch(service, batchId);
}

/**
 * Pauses a batch: workers put what is under way back and give their shards up. Pausing again changes nothing.
 *
 * @throws UnknownBatchError, BatchStateError if the batch is not running
 */
export async function pauseBatch(service: Service, batchId: string): Promise<void> {
  await change(service, batchId, 'paused', ['running'], ['paused']);
}

/**
 * Lets a paused batch go on. Resuming again sends the tickets again, which does no harm.
 *
 * @throws UnknownBatchError, BatchStateError if the batch is neither paused nor running
 */
export async function resumeBatch(service: Service, batchId: string): Promise<void> {
  await change(service, batchId, 'running', ['paused'], ['running']);
  const read = await service.ledger.readBatch(batchId);
  const open = (read?.shards ?? []).filter((shard) => shard.finishedAt === undefined);
  await service.tickets.send(open.map(({ shard }) => ({ batchId, shard })));
}

/** Moves a batch from one of the states `from` to `to`; does nothing if it is in one of `already`. */
async function change(
  { ledger, clock }: Service,
  batchId: string,
  to: BatchState,
  from: BatchState[],
  already: BatchState[],
): Promise<BatchRecord> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const batch = await ledger.getBatch(batchId);
    if (!batch) throw new UnknownBatchError(batchId);
    if (already.includes(batch.state)) return batch;
    if (!from.includes(batch.state)) throw new BatchStateError(`The batch is ${batch.state}.`);
    const next: BatchRecord = { ...batch, rev: batch.rev + 1, state: to };
    if (to === 'cancelling') next.cancelledAt = clock.now();
    if (await ledger.replaceBatch(next)) return next;
  }
  throw new Error(`The record of batch ${batchId} changes too often.`);
}

/** Ends a shard of a cancelled batch that nobody holds; does nothing if a worker does, or did just now. */
export async function endCancelled({ ledger, clock }: Service, shard: ShardRecord): Promise<void> {
  const now = clock.now();
  if (shard.finishedAt !== undefined || (shard.owner && shard.leaseUntil > now)) return;
  await ledger.replaceShard({
    ...shard,
    rev: shard.rev + 1,
    // A worker that still believes in its lease finds another epoch.
    epoch: shard.epoch + 1,
    owner: undefined,
    leaseUntil: 0,
    cancelled: shard.cancelled + pendingOf(shard),
    retrying: 0,
    ticketed: false,
    finishedAt: now,
  });
}
