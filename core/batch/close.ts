import { costOf } from '../cost/cost.ts';
import { usageOf, type Work } from '../cost/usage.ts';
import { failedListKey, secretsKey, summaryKey } from '../model/layout.ts';
import { publicOptions } from '../model/options.ts';
import { sumCounts, type BatchRecord, type Counts, type ShardRecord } from '../model/records.ts';
import { createObjectWriter } from '../download/object-writer.ts';
import { readOutcomes } from './results.ts';
import { isStale } from './planning.ts';
import type { Service, Summary } from './service.ts';

/** Shards that are read at first on each side of one that ended: as many records as one read unit holds. */
const FIRST_PAGE = 4;

/**
 * Closes the batch of a shard that has ended, or wakes who waited for that, if no other shard is left to do so. Whoever
 * ends a shard calls it, and whoever meets one that has ended. All shards are read by the last one only.
 */
export async function closeAfter(service: Service, ended: Pick<ShardRecord, 'batchId' | 'shard'>): Promise<void> {
  if (!(await hasOpenNeighbour(service, ended))) await closeBatch(service, ended.batchId);
}

/**
 * Whether a shard is left that will see to the batch's end. They never open again, so that a read which is not of one
 * moment does: of two that end at once, the later one sees the other.
 *
 * The search goes outwards on both sides by turns, and so costs as much as the shorter of the two runs of ended shards
 * that this one joins. A shard is in the shorter one at most log2(n) times: in whatever order n shards end, they read
 * some n log2(n) records together, where each reading all would be n².
 */
async function hasOpenNeighbour(
  { ledger }: Pick<Service, 'ledger'>,
  { batchId, shard }: Pick<ShardRecord, 'batchId' | 'shard'>,
): Promise<boolean> {
  let sides = [
    { from: shard + 1, descending: false },
    { from: shard - 1, descending: true },
  ];
  for (let limit = FIRST_PAGE; sides.length > 0; limit *= 2) {
    const left: typeof sides = [];
    for (const { from, descending } of sides) {
      const page = from < 0 ? [] : await ledger.readShards(batchId, { from, limit, descending });
      if (page.some((other) => other.finishedAt === undefined && other.abroad !== true)) return true;
      if (page.length === limit) left.push({ from: descending ? from - limit : from + limit, descending });
    }
    sides = left;
  }
  return false;
}

/**
 * Closes a batch whose shards are all finished; of another one it wakes the shards that only waited for the rest. Every
 * step can be repeated, and is, until the last one is known to be done.
 *
 * The order: failed list and summary, `closedAt`, the announcement, `notifiedAt`, secrets and open item.
 */
export async function closeBatch(service: Service, batchId: string): Promise<void> {
  const { ledger, state, clock } = service;
  for (;;) {
    const read = await ledger.readBatch(batchId);
    if (!read) return;
    const { batch, shards } = read;

    if (batch.closedAt === undefined) {
      const final = finalCounts(batch, shards, clock.now());
      if (!final) return wakeAbroad(service, batch, shards);
      const closedAt = endOf(batch, shards);
      const summary = summaryOf(service, { ...batch, closedAt, final }, shards);
      await writeFailedList(service, batch, shards);
      await writeSummary(service, summary);
      await ledger.replaceBatch({ ...batch, rev: batch.rev + 1, state: summary.state, closedAt, final });
      // Landed or not, by whomever: what stands in the record now says what is next.
      continue;
    }
    if (batch.notifiedAt === undefined) {
      const summary = summaryOf(service, batch, shards);
      // Of a rejected batch it is the record that closes it: before that nothing says when it ended.
      if (batch.state === 'rejected') await writeSummary(service, summary);
      await service.announce(summary);
      await ledger.replaceBatch({ ...batch, rev: batch.rev + 1, notifiedAt: clock.now() });
      continue;
    }
    await state.delete(secretsKey(batchId));
    await ledger.dropOpen(batchId);
    return;
  }
}

/**
 * Sends tickets to shards that stand by until no other works what was planned for it: to as many as can have a
 * connection to one host.
 */
async function wakeAbroad({ tickets }: Service, batch: BatchRecord, shards: readonly ShardRecord[]): Promise<void> {
  const left = shards.filter((shard) => shard.finishedAt === undefined);
  if (batch.state !== 'running' || left.some((shard) => shard.abroad !== true)) return;
  const next = left.slice(0, batch.options.connectionsPerHost).filter((shard) => !shard.ticketed);
  if (next.length > 0) await tickets.send(next.map(({ shard }) => ({ batchId: batch.id, shard })));
}

/** The batch's sums if it is over. */
function finalCounts(batch: BatchRecord, shards: ShardRecord[], now: number): Counts | undefined {
  if (batch.state === 'planning' || shards.some((shard) => shard.finishedAt === undefined)) return undefined;
  const sum = sumCounts(shards);
  if (shards.length === batch.shardCount) return sum;
  // Cancelled while it was planned: once no planner can be alive, the shards that are missing will not come.
  if (batch.state !== 'cancelling' || !isStale(batch, now)) return undefined;
  sum.cancelled = batch.total - sum.done - sum.failed - sum.skipped;
  return sum;
}

/** When a batch whose shards are all finished ended; one cancelled before it had shards ended then. */
function endOf({ cancelledAt = 0 }: BatchRecord, shards: readonly ShardRecord[]): number {
  return Math.max(cancelledAt, ...shards.map((shard) => shard.finishedAt ?? 0));
}

function summaryOf({ billing }: Pick<Service, 'billing'>, batch: BatchRecord, shards: readonly ShardRecord[]): Summary {
  const { id, name, state, createdAt, closedAt = endOf(batch, shards), total, duplicates, options } = batch;
  return {
    id,
    ...(name !== undefined && { name }),
    state: endStateOf(state),
    createdAt: new Date(createdAt).toISOString(),
    finishedAt: new Date(closedAt).toISOString(),
    total,
    duplicates,
    ...(batch.final ?? sumCounts(shards)),
    options: publicOptions(options),
    ...(billing && { cost: costOf(usageOf(workOf(batch, shards), billing.workerMb), billing.prices) }),
  };
}

async function writeSummary({ state }: Service, summary: Summary): Promise<void> {
  await state.put(summaryKey(summary.id), Buffer.from(`${JSON.stringify(summary, undefined, 2)}\n`));
}

/** The same whoever asks: the record of a finished shard is not written any more. */
function workOf({ options }: BatchRecord, shards: readonly ShardRecord[]): Work {
  const sum = (of: (shard: ShardRecord) => number) => shards.reduce((total, shard) => total + of(shard), 0);
  return {
    shards: shards.length,
    turns: sum(({ epoch }) => epoch),
    workedMs: sum(({ workedMs = 0 }) => workedMs),
    checkpoints: sum(({ rev }) => rev),
    results: sum(({ seq }) => seq),
    files: sum(({ done }) => done),
    bytes: sum(({ bytes }) => bytes),
    lookedUp: options.ownPrefix ? 0 : sum(({ done, skipped }) => done + skipped),
    manifestBytes: sum(({ from, to }) => to - from),
  };
}

function endStateOf(state: BatchRecord['state']): Summary['state'] {
  if (state === 'rejected') return 'rejected';
  return state === 'cancelling' || state === 'cancelled' ? 'cancelled' : 'finished';
}

/**
 * Writes the failed entries as a list: `checkEntry` takes each line as an entry, so that it can be posted again as it
 * is. The lines are those that the API lists as NDJSON.
 */
async function writeFailedList({ state }: Service, batch: BatchRecord, shards: ShardRecord[]): Promise<void> {
  await using writer = createObjectWriter(state, failedListKey(batch.id), { contentType: 'application/x-ndjson' });
  for (const shard of shards) {
    // A listing costs a request, and most shards of a good batch have nothing to list.
    if (shard.failed === 0) continue;
    for await (const outcome of readOutcomes(state, shard, 'failed')) {
      const line = { ...outcome, settledAt: new Date(outcome.settledAt).toISOString() };
      await writer.write(Buffer.from(`${JSON.stringify(line)}\n`));
    }
  }
  await writer.finish();
}
