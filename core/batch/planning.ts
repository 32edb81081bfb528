import { inLanes } from '../model/lanes.ts';
import { PLANNING_STALE_MS } from '../model/limits.ts';
import { planKey } from '../model/layout.ts';
import { noCounts, type BatchRecord, type ShardRecord } from '../model/records.ts';
import type { PlanningService, Service } from './service.ts';

/** Shard records written at once. */
const CONCURRENCY = 16;

/** What a shard's record begins with, as the plan says it. */
export type PlannedShard = Pick<
  ShardRecord,
  'shard' | 'from' | 'to' | 'total' | 'hosts' | 'connections' | 'connectionsPerHost'
>;

/** What `plan.json` holds. */
export interface Plan {
  total: number;
  duplicates: number;
  hostCount: number;
  topHosts: Record<string, number>;
  shards: PlannedShard[];
}

/** A batch's plan; `undefined` if it was not written yet. */
export async function readPlan({ state }: Pick<Service, 'state'>, batchId: string): Promise<Plan | undefined> {
  const body = await state.get(planKey(batchId));
  return body && (JSON.parse(String(body)) as Plan);
}

/** Whether the planner of a batch has died, to all appearance. */
export function isStale({ createdAt, plannedAt = createdAt }: BatchRecord, now: number): boolean {
  return now - plannedAt > PLANNING_STALE_MS;
}

/** Brings stalled planning on: from the plan on where it is written, else by a planner. */
export async function resumePlanning(service: PlanningService, { id, list, shardCount }: BatchRecord): Promise<void> {
  if (list && shardCount === 0) await service.startPlanner(id);
  else await startPlanned(service, id);
}

/**
 * Brings a batch in state `planning`, whose plan is written, to `running`: shard records, then the state, then
 * tickets. Can be called again at any time: what is there is left as it is. Who finds the batch in another state stops.
 */
export async function startPlanned(service: Service, batchId: string): Promise<void> {
  const { ledger, tickets, clock } = service;
  const plan = await readPlan(service, batchId);
  if (!plan) throw new Error(`Batch ${batchId} has no plan.`);
  const planned = plan.shards;

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
