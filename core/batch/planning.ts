import { inLanes } from '../model/lanes.ts';
import { planKey } from '../model/layout.ts';
import { noCounts, type BatchRecord, type ShardRecord } from '../model/records.ts';
import type { Service } from './service.ts';

/** Shard records written at once. */
const CONCURRENCY = 16;

/** What a shard's record begins with, as the plan says it. */
export type PlannedShard = Pick<
  ShardRecord,
  'shard' | 'from' | 'to' | 'total' | 'hosts' | 'connections' | 'connectionsPerHost'
>;

/**
 * Brings a batch in state `planning`, whose plan is written, to `running`: shard records, then the state, then
 * tickets. Can be called again at any time: what is there is left as it is. Who finds the batch in another state stops.
 */
export async function startPlanned(service: Service, batchId: string): Promise<void> {
  const { ledger, tickets, state, clock } = service;
  const body = await state.get(planKey(batchId));
  if (!body) throw new Error(`Batch ${batchId} has no plan.`);
  const planned = JSON.parse(String(body)) as PlannedShard[];

  await inLanes(planned, CONCURRENCY, (shard) => ledger.createShard(newShard(batchId, shard, clock.now())));

  for (;;) {
    const batch = await ledger.getBatch(batchId);
    if (batch?.state !== 'planning') return;
    const next: BatchRecord = { ...batch, rev: batch.rev + 1, state: 'running' };
    if (await ledger.replaceBatch(next)) break;
  }
  await tickets.send(planned.map(({ shard }) => ({ batchId, shard })));
}

function newShard(batchId: string, planned: PlannedShard, now: number): ShardRecord {
  return {
    batchId,
    ...planned,
    ...noCounts(),
    rev: 1,
    cursor: planned.from,
    retrying: 0,
    seq: 0,
    epoch: 0,
    leaseUntil: 0,
    wakeAt: now,
    ticketed: true,
    crashes: 0,
  };
}
