import type { InvalidListError } from '../model/errors.ts';
import { problemKey } from '../model/layout.ts';
import { noCounts } from '../model/records.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import { closeBatch } from './close.ts';
import type { Service } from './service.ts';

/** Why a batch was rejected, as it is kept: what is wrong with its list. */
export type Rejection = Pick<InvalidListError, 'message' | 'problems'>;

/** Ends a batch whose list cannot be used, unless it has shards already. */
export async function rejectBatch(service: Service, batchId: string, error: InvalidListError): Promise<void> {
  const { ledger, state, clock } = service;
  const rejection: Rejection = { message: error.message, problems: error.problems };
  await state.put(problemKey(batchId), Buffer.from(JSON.stringify(rejection)));
  for (;;) {
    const batch = await ledger.getBatch(batchId);
    if (batch?.state !== 'planning' || batch.shardCount > 0) break;
    const closed = { state: 'rejected', closedAt: clock.now(), final: noCounts() } as const;
    if (await ledger.replaceBatch({ ...batch, ...closed, rev: batch.rev + 1 })) break;
  }
  await closeBatch(service, batchId);
}

/** Why a rejected batch is one; `undefined` once its objects have expired. */
export async function readRejection(state: ObjectStore, batchId: string): Promise<Rejection | undefined> {
  const body = await state.get(problemKey(batchId));
  return body && (JSON.parse(String(body)) as Rejection);
}
