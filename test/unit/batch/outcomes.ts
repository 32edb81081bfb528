import type { Service } from '../../../core/batch/service.ts';
import { resultsKey } from '../../../core/model/layout.ts';
import type { Outcome } from '../../../core/model/outcome.ts';
import { sumCounts, type ShardRecord } from '../../../core/model/records.ts';

/** An outcome as a worker settles it. */
export function outcome(index: number, state: Outcome['state'], more: Partial<Outcome> = {}): Outcome {
  const url = `https://a.example/${index}.jpg`;
  const ending =
    state === 'failed' ? ({ code: 'NOT_FOUND', message: 'gone', httpStatus: 404 } as const) : { bytes: 10 };
  return { index, url, key: `a.example/${index}.jpg`, state, ...ending, attempts: 1, settledAt: 0, ...more };
}

export async function shardOf(
  { ledger }: Pick<Service, 'ledger'>,
  batchId: string,
  shard: number,
): Promise<ShardRecord> {
  const record = await ledger.getShard(batchId, shard);
  if (!record) throw new Error(`There is no shard ${shard}.`);
  return record;
}

export async function changeShard(
  service: Pick<Service, 'ledger'>,
  batchId: string,
  shard: number,
  changes: Partial<ShardRecord>,
): Promise<void> {
  const record = await shardOf(service, batchId, shard);
  if (!(await service.ledger.replaceShard({ ...record, rev: record.rev + 1, ...changes }))) throw new Error('lost');
}

/** What a worker's checkpoint leaves of outcomes: a results object, then the counts. */
export async function settle(
  service: Pick<Service, 'ledger' | 'state'>,
  batchId: string,
  shard: number,
  outcomes: readonly Outcome[],
  changes: Partial<ShardRecord> = {},
): Promise<void> {
  const record = await shardOf(service, batchId, shard);
  const seq = record.seq + 1;
  const epoch = record.epoch + 1;
  await putResults(service, batchId, shard, seq, epoch, outcomes);
  const counts = sumCounts([record, ...outcomes.map(countsOf)]);
  await changeShard(service, batchId, shard, { ...counts, seq, epoch, ...changes });
}

export async function putResults(
  { state }: Pick<Service, 'state'>,
  batchId: string,
  shard: number,
  seq: number,
  epoch: number,
  outcomes: readonly Outcome[],
): Promise<void> {
  const failed = outcomes.filter((outcome) => outcome.state === 'failed').length;
  const lines = outcomes.map((outcome) => `${JSON.stringify(outcome)}\n`);
  await state.put(resultsKey(batchId, shard, { seq, epoch, failed }), Buffer.from(lines.join('')));
}

function countsOf({ state, bytes = 0, code }: Outcome) {
  const counts = { done: 0, failed: 0, skipped: 0, cancelled: 0, bytes: 0, failures: {} as Record<string, number> };
  counts[state] = 1;
  if (state === 'done') counts.bytes = bytes;
  if (code) counts.failures[code] = 1;
  return counts;
}
