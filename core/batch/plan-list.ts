import { readList } from '../lists/formats.ts';
import { unusable } from '../lists/item.ts';
import { InvalidListError } from '../model/errors.ts';
import { MAX_LIST_BYTES, MAX_PLANNINGS, PLANNING_PULSE_MS } from '../model/limits.ts';
import type { BatchRecord, PinnedList } from '../model/records.ts';
import { collectEntries } from '../plan/collect.ts';
import { removeState } from './delete.ts';
import { readUploaded } from './lists.ts';
import { readPlan, startPlanned, type Plan } from './planning.ts';
import { rejectBatch } from './rejection.ts';
import { readFailed } from './retry.ts';
import type { Service } from './service.ts';
import { findSharedHosts } from './shared-hosts.ts';
import { writePlan } from './write-plan.ts';

/**
 * A planner's work: reads a batch's list, plans it and sets it going, or rejects the batch. A batch that is no longer
 * planned is left alone. It can be killed at any moment and begun again, and several may be at it at once: they
 * write the same objects, and one of them sets the batch going.
 */
export async function planList(service: Service, batchId: string): Promise<void> {
  await tryToPlan(service, batchId);
  // Cancelled and deleted meanwhile: the deletion could not know of what was written after it.
  if (!(await service.ledger.getBatch(batchId))) await removeState(service, batchId);
}

async function tryToPlan(service: Service, batchId: string): Promise<void> {
  const batch = await update(service, batchId, (batch) => ({
    plannings: (batch.plannings ?? 0) + 1,
    plannedAt: service.clock.now(),
  }));
  if (!batch) return;
  if (!batch.list || batch.shardCount > 0) return startPlanned(service, batchId);
  try {
    const plan = (await readPlan(service, batchId)) ?? (await makePlan(service, batch, batch.list));
    const { total, duplicates, hostCount, topHosts, shards } = plan;
    const sharedHosts = await findSharedHosts(service.ledger, topHosts);
    // Before there are shards: a cancel that comes now knows how many to wait for.
    const next = await update(service, batchId, () => ({
      ...{ total, duplicates, hostCount, topHosts, sharedHosts },
      shardCount: shards.length,
    }));
    if (next) await startPlanned(service, batchId);
  } catch (error) {
    if (error instanceof InvalidListError) await rejectBatch(service, batchId, error);
    else if (!(error instanceof PlanningOver)) throw error;
  }
}

/** The batch is cancelled, or another planner was faster. */
class PlanningOver extends Error {}

async function makePlan(service: Service, batch: BatchRecord, list: PinnedList): Promise<Plan> {
  if ((batch.plannings ?? 0) > MAX_PLANNINGS) throw unusable(`could not be planned in ${MAX_PLANNINGS} tries`);
  const { state, clock } = service;
  let pulseAt = clock.now() + PLANNING_PULSE_MS;
  let read = 0;

  async function pulse(entries = read): Promise<void> {
    read = entries;
    if (clock.now() < pulseAt) return;
    pulseAt = clock.now() + PLANNING_PULSE_MS;
    const alive = await update(service, batch.id, ({ linesPlanned = 0 }) => ({
      linesPlanned: Math.max(linesPlanned, read),
      plannedAt: clock.now(),
    }));
    if (!alive) throw new PlanningOver();
  }

  const items =
    list.kind === 'uploaded'
      ? readList(readUploaded(state, list), list.format, MAX_LIST_BYTES)
      : readFailed(service, list, pulse);
  const table = await collectEntries(items, batch.options, pulse);
  return writePlan(service, batch.id, batch.options, table, pulse);
}

/** Changes the record of a batch that is being planned; `undefined` if it no longer is. */
async function update(
  { ledger }: Service,
  batchId: string,
  change: (batch: BatchRecord) => Partial<BatchRecord>,
): Promise<BatchRecord | undefined> {
  for (;;) {
    const batch = await ledger.getBatch(batchId);
    if (batch?.state !== 'planning') return undefined;
    const next: BatchRecord = { ...batch, ...change(batch), rev: batch.rev + 1 };
    if (await ledger.replaceBatch(next)) return next;
  }
}
