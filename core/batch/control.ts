import { BatchStateError, InvalidOptionError, UnknownBatchError } from '../model/errors.ts';
import { inLanes } from '../model/lanes.ts';
import { pendingOf, type BatchRecord, type BatchState, type ShardRecord } from '../model/records.ts';
import { bytesOf } from './byte-limit.ts';
import { closeBatch } from './close.ts';
import type { Service } from './service.ts';
import { abortUploads, readWaitingEntries } from './uploads.ts';

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
  await change(service, batchId, (batch) => {
    if (allows(batch, ['planning', 'running', 'paused'], ['cancelling', 'cancelled'])) {
      return { state: 'cancelling', reason: undefined, cancelledAt: service.clock.now() };
    }
    return undefined;
  });
  const read = await service.ledger.readBatch(batchId);
  if (read) await inLanes(read.shards, SHARDS_AT_ONCE, (shard) => endCancelled(service, read.batch, shard));
  await closeBatch(service, batchId);
}

/**
 * Pauses a batch: workers put what is under way back and give their shards up. Pausing again changes nothing.
 *
 * @throws UnknownBatchError, BatchStateError if the batch is not running
 */
export async function pauseBatch(service: Service, batchId: string): Promise<void> {
  await change(service, batchId, (batch) => (allows(batch, ['running'], ['paused']) ? { state: 'paused' } : undefined));
}

/**
 * Lets a paused batch go on. Resuming again sends the tickets again, which does no harm.
 *
 * @param given.maxTotalBytes takes the place of the batch's own; a batch that has passed its own needs it
 * @throws UnknownBatchError; BatchStateError if the batch is neither paused nor running, or has passed its limit;
 *   InvalidOptionError if it has passed the one given
 */
export async function resumeBatch(
  service: Service,
  batchId: string,
  given: { maxTotalBytes?: number | undefined } = {},
): Promise<void> {
  const { shards = [] } = (await service.ledger.readBatch(batchId)) ?? {};
  const bytes = bytesOf(shards);
  await change(service, batchId, (batch) => {
    const { maxTotalBytes } = { ...batch.options, ...given };
    const raised = maxTotalBytes !== batch.options.maxTotalBytes;
    if (!allows(batch, ['paused'], ['running']) && !raised) return undefined;
    if (maxTotalBytes !== undefined && bytes > maxTotalBytes) throw limitPassed(bytes, given.maxTotalBytes);
    return { state: 'running', reason: undefined, options: { ...batch.options, maxTotalBytes } };
  });
  const open = shards.filter((shard) => shard.finishedAt === undefined);
  await service.tickets.send(open.map(({ shard }) => ({ batchId, shard })));
}

function limitPassed(bytes: number, given: number | undefined): Error {
  const reason = `the batch has stored ${bytes} bytes already`;
  if (given !== undefined) return new InvalidOptionError('maxTotalBytes', reason);
  return new BatchStateError(`The batch is at its limit, ${reason}; resume it with a higher maxTotalBytes.`);
}

/**
 * Whether a batch is to be changed: it is in one of the states `from`; not if it is in one of `already`.
 *
 * @throws BatchStateError for any other state
 */
function allows({ state }: BatchRecord, from: BatchState[], already: BatchState[]): boolean {
  if (!from.includes(state) && !already.includes(state)) throw new BatchStateError(`The batch is ${state}.`);
  return from.includes(state);
}

/** Changes a batch's record by what `decide` says of its newest revision, if anything. */
async function change(
  { ledger }: Service,
  batchId: string,
  decide: (batch: BatchRecord) => Partial<BatchRecord> | undefined,
): Promise<void> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const batch = await ledger.getBatch(batchId);
    if (!batch) throw new UnknownBatchError(batchId);
    const changes = decide(batch);
    if (!changes || (await ledger.replaceBatch({ ...batch, rev: batch.rev + 1, ...changes }))) return;
  }
  throw new Error(`The record of batch ${batchId} changes too often.`);
}

/** Ends a shard of a cancelled batch that nobody holds; does nothing if a worker does, or did just now. */
export async function endCancelled(service: Service, { options }: BatchRecord, shard: ShardRecord): Promise<void> {
  const { ledger, clock, files } = service;
  const now = clock.now();
  if (shard.finishedAt !== undefined || (shard.owner && shard.leaseUntil > now)) return;
  // First, since nobody comes back to a shard that is finished; nor does anybody go on in a cancelled batch.
  await abortUploads(files, options.prefix, await readWaitingEntries(service, shard));
  await ledger.replaceShard({
    ...shard,
    rev: shard.rev + 1,
    // A worker that still believes in its lease finds another epoch.
    epoch: shard.epoch + 1,
    owner: undefined,
    leaseUntil: 0,
    cancelled: shard.cancelled + pendingOf(shard),
    retrying: 0,
    partialBytes: undefined,
    ticketed: false,
    finishedAt: now,
  });
}
