import { BatchStateError, UnknownBatchError } from '../model/errors.ts';
import { inLanes } from '../model/lanes.ts';
import { batchPrefix, secretsKey } from '../model/layout.ts';
import { closeBatch } from './close.ts';
import type { Service } from './service.ts';

/** Objects deleted at once. */
const OBJECTS_AT_ONCE = 32;

/**
 * Deletes what is kept of a closed batch; its files stay. The record goes first, so that nobody sees half a batch; the
 * open item that is left until the end has the sweeper repeat a deletion that died.
 *
 * @throws UnknownBatchError, BatchStateError if the batch is not closed
 */
export async function deleteBatch(service: Service, batchId: string): Promise<void> {
  const { ledger } = service;
  const batch = await ledger.getBatch(batchId);
  if (!batch) throw new UnknownBatchError(batchId);
  if (batch.closedAt === undefined) throw new BatchStateError(`The batch is ${batch.state}; cancel it first.`);
  // Of a closing that died the announcement may be due yet.
  if (batch.notifiedAt === undefined) await closeBatch(service, batchId);
  if (batch.claim !== undefined) await markDeleted(service, batch.claim, batchId);
  await begin(service, batchId);
  await removeState(service, batchId);
}

/**
 * Says in the record that it is on its way out. Without that the sweeper would take an open item for an unfinished closing
 * and drop it, and a removal of the record that lands later would leave all the rest to nobody.
 */
async function begin({ ledger, clock }: Service, batchId: string): Promise<void> {
  for (;;) {
    const batch = await ledger.getBatch(batchId);
    if (!batch || batch.deletedAt !== undefined) return;
    if (await ledger.replaceBatch({ ...batch, rev: batch.rev + 1, deletedAt: clock.now() })) return;
  }
}

/** So that a request which is sent again does not start the batch again. */
async function markDeleted({ ledger }: Service, key: string, batchId: string): Promise<void> {
  for (;;) {
    const claim = await ledger.getClaim(key);
    if (claim?.batchId !== batchId || claim.deleted === true) return;
    if (await ledger.putClaim({ ...claim, rev: claim.rev + 1, deleted: true })) return;
  }
}

/** Removes records and objects of a batch, however many of them are there. */
export async function removeState({ ledger, state }: Service, batchId: string): Promise<void> {
  await ledger.removeBatch(batchId);
  await inLanes(state.list(batchPrefix(batchId)), OBJECTS_AT_ONCE, (key) => state.delete(key));
  await state.delete(secretsKey(batchId));
  await ledger.dropOpen(batchId);
}
