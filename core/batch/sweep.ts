import { PLANNING_STALE_MS, SPARE_TICKET_MS, STALLED_MS, TICKET_LOST_MS, TICKET_OVERDUE_MS } from '../model/limits.ts';
import { unusable } from '../lists/item.ts';
import { batchOfSecrets, SECRETS_PREFIX } from '../model/layout.ts';
import type { BatchRecord, ShardRecord } from '../model/records.ts';
import { keepByteLimit } from './byte-limit.ts';
import { closeBatch } from './close.ts';
import { endCancelled } from './control.ts';
import { removeState } from './delete.ts';
import { timeOf } from './ids.ts';
import { dropOldLists } from './lists.ts';
import { isStale, resumePlanning } from './planning.ts';
import { rejectBatch } from './rejection.ts';
import type { PlanningService, Service } from './service.ts';

/** What a sweep has found that should not be. */
export interface Findings {
  /** Tickets that were sent in the place of lost ones. */
  lostTickets: number;
  /** Open batches without a checkpoint for 30 minutes. */
  silentBatches: number;
  /** Open batches that could not be looked after. */
  failures: number;
}

const noFindings = (): Findings => ({ lostTickets: 0, silentBatches: 0, failures: 0 });

/**
 * Looks after the open batches: brings stale planning on, sends the tickets of long waits and of shards whose ticket
 * was lost, ends the shards of cancelled batches, pauses those past their `maxTotalBytes`, repeats an unfinished closing
 * or deletion. One batch's trouble does not keep it from the others: it is told as a warning, and counted.
 */
export async function sweep(service: PlanningService): Promise<Findings> {
  const found = noFindings();
  found.failures = await eachOpen(service, 'sweep failed', (batchId) => sweepBatch(service, batchId, found));
  return found;
}

/** Answers of how many batches the look failed. */
async function eachOpen(service: Service, failure: string, look: (batchId: string) => Promise<void>): Promise<number> {
  let failures = 0;
  for (const batchId of await service.ledger.listOpen()) {
    try {
      await look(batchId);
    } catch (error) {
      failures += 1;
      service.warn(failure, { batchId, error: error instanceof Error ? error.message : String(error) });
    }
  }
  return failures;
}

async function sweepBatch(service: PlanningService, batchId: string, found: Findings): Promise<void> {
  const { ledger, clock } = service;
  const read = await ledger.readBatch(batchId);
  if (!read) {
    // Written before its batch; once no submission can be under way any more, none will come. Or left by a deletion.
    if (clock.now() - timeOf(batchId) > PLANNING_STALE_MS) await removeState(service, batchId);
    return;
  }
  const { batch, shards } = read;
  if (batch.deletedAt !== undefined) return removeState(service, batchId);
  if (batch.state === 'planning') return sweepPlanning(service, batch);
  // A planner that came too late can have left a closed batch shards that nobody works.
  const over = batch.closedAt !== undefined || shards.every((shard) => shard.finishedAt !== undefined);
  if (batch.state === 'cancelling') for (const shard of shards) await endCancelled(service, batch, shard);
  else if (!over) return sendDue(service, await keepByteLimit(ledger, { batch, shards }), shards, found);
  await closeBatch(service, batchId);
}

/** Brings planning on that has died; a list that nobody could plan until the deadline is not tried any more. */
async function sweepPlanning(service: PlanningService, batch: BatchRecord): Promise<void> {
  const now = service.clock.now();
  if (!isStale(batch, now)) return;
  const unplanned = batch.list !== undefined && batch.shardCount === 0;
  if (unplanned && now >= batch.deadline) {
    await rejectBatch(service, batch.id, unusable("could not be planned before the batch's deadline"));
    return;
  }
  // Marked first, so that the next sweep leaves the new planner its time.
  const marked = !unplanned || (await service.ledger.replaceBatch({ ...batch, rev: batch.rev + 1, plannedAt: now }));
  if (marked) await resumePlanning(service, batch);
}

/** Sends tickets to the shards that should have one and have none. */
async function sendDue(
  service: Service,
  batch: BatchRecord,
  shards: readonly ShardRecord[],
  found: Findings,
): Promise<void> {
  const { ledger, tickets, clock, warn } = service;
  const now = clock.now();
  const late = now >= batch.deadline;
  // A paused batch has no tickets, until its deadline passes.
  if (batch.state === 'paused' && !late) return;

  const open = shards.filter((shard) => shard.finishedAt === undefined);
  const newest = Math.max(
    batch.createdAt,
    ...open.map((shard) => shard.leaseUntil),
    ...open.map((shard) => shard.wakeAt),
  );
  if (now - newest > STALLED_MS) {
    found.silentBatches += 1;
    warn('no checkpoint for 30 minutes', { batchId: batch.id, shards: open.length });
  }

  let backlog: boolean | undefined;
  for (const shard of open) {
    if (shard.leaseUntil > now) continue;
    const waitsLong = !shard.ticketed && (late || shard.wakeAt <= now);
    // Since when a ticket should have come by itself, or the sweeper's last one.
    const due = Math.max(shard.wakeAt, shard.leaseUntil, (shard.sweptAt ?? 0) + SPARE_TICKET_MS - TICKET_OVERDUE_MS);
    if (!waitsLong && now <= due + TICKET_OVERDUE_MS) continue;
    // An honest backlog: the ticket is in the queue and has its turn to come.
    if (!waitsLong && now <= due + TICKET_LOST_MS && (backlog ??= await tickets.hasVisible())) continue;
    // Another epoch, so that a worker that was frozen with a write on its way does not take this one for its own.
    const next: ShardRecord = { ...shard, rev: shard.rev + 1, epoch: shard.epoch + 1, ticketed: true };
    if (!waitsLong) next.sweptAt = now;
    if (!(await ledger.replaceShard(next))) continue;
    await tickets.send([{ batchId: batch.id, shard: shard.shard }]);
    if (!waitsLong) found.lostTickets += 1;
  }
}

/**
 * For a host whose workers all died with it, and whose queue is its own: frees their shards and helpers at once, without counting
 * crashes, brings planning on, and sends every shard a ticket. One batch's trouble does not keep it from the others.
 * Secrets of submissions that died before there was a batch go, and so do old lists.
 */
export async function recoverAfterRestart(service: PlanningService): Promise<void> {
  await eachOpen(service, 'recovery failed', (batchId) => recoverBatch(service, batchId));
  for await (const key of service.state.list(SECRETS_PREFIX)) {
    const batch = await service.ledger.getBatch(batchOfSecrets(key));
    if (!batch) await service.state.delete(key);
  }
  await dropOldLists(service);
}

async function recoverBatch(service: PlanningService, batchId: string): Promise<void> {
  const { ledger, tickets, clock } = service;
  const read = await ledger.readBatch(batchId);
  if (!read) return removeState(service, batchId);
  const { batch, shards } = read;
  if (batch.state === 'planning') return resumePlanning(service, batch);

  const open = shards.filter((shard) => shard.finishedAt === undefined);
  for (const shard of open) {
    for (const name of shard.helpers ?? []) {
      const helper = await ledger.getHelper(batchId, name);
      if (helper && helper.endedAt === undefined)
        await ledger.replaceHelper({ ...helper, rev: helper.rev + 1, endedAt: clock.now() });
    }
    if (!shard.owner) continue;
    const { rev, epoch } = shard;
    const freed = { owner: undefined, leaseUntil: 0, wakeAt: clock.now() };
    await ledger.replaceShard({ ...shard, rev: rev + 1, epoch: epoch + 1, ...freed });
  }
  if (batch.state === 'running') await tickets.send(open.map(({ shard }) => ({ batchId, shard })));
  if (open.length === 0 || batch.state === 'cancelling') await sweepBatch(service, batchId, noFindings());
}
