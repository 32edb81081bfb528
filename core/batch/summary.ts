import { BatchStateError, UnknownBatchError } from '../model/errors.ts';
import { summaryKey } from '../model/layout.ts';
import type { Service } from './service.ts';

/**
 * A closed batch's summary, as the JSON that closing wrote.
 *
 * @throws UnknownBatchError, BatchStateError while there is none
 */
export async function readSummary(
  { ledger, state }: Pick<Service, 'ledger' | 'state'>,
  batchId: string,
): Promise<string> {
  const batch = await ledger.getBatch(batchId);
  if (!batch) throw new UnknownBatchError(batchId);
  const body = await state.get(summaryKey(batchId));
  if (batch.closedAt === undefined || (!body && batch.notifiedAt === undefined)) {
    throw new BatchStateError(`The batch is ${batch.state}; it has no summary yet.`);
  }
  if (!body) throw new Error(`Batch ${batchId} has no summary.`);
  return body.toString();
}
