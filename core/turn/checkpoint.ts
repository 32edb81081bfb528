import type { Service } from '../batch/service.ts';
import type { FailureCode } from '../model/failure.ts';
import { CARE_AFTER_CRASHES, LEASE_MS } from '../model/limits.ts';
import { helperName, resultsKey, waitingKey } from '../model/layout.ts';
import type { Outcome } from '../model/outcome.ts';
import { bytesOf } from '../model/partial-file.ts';
import { noCounts, sumCounts, type Counts, type ShardRecord } from '../model/records.ts';
import { createFence } from './fence.ts';
import { isEmpty, type WaitingList } from './waiting.ts';

/** A speed is averaged over about so long: an interval counts e times less for every minute that has passed since. */
const RATE_MS = 60_000;

/** A turn's state at one moment. */
export interface Snapshot {
  outcomes: readonly Outcome[];
  cursor: number;
  list: WaitingList;
  /** Milliseconds that helpers worked which the checkpoint before still named. */
  helpedMs?: number;
}

/** What a turn's last checkpoint also writes. */
export interface Release {
  wakeAt: number;
  ticketed: boolean;
  /** Nothing is left to do. */
  finished: boolean;
  /** What is left is cancelled. */
  cancelled: boolean;
  /** Nothing is left but entries that lead into other shards' hosts. */
  abroad: boolean;
}

export type Checkpointer = ReturnType<typeof createCheckpointer>;

/**
 * Writes a shard's checkpoints for the turn that holds its lease.
 *
 * A checkpoint's content is fixed before its first write and stays so until it is known to have landed: the results
 * object of one `seq` and `epoch` has one content for ever. The record is written last and on condition of `rev`, so
 * that a worker that lost its lease changes nothing.
 */
export function createCheckpointer(
  deps: Pick<Service, 'ledger' | 'state' | 'clock' | 'warn' | 'meter'>,
  acquired: ShardRecord,
) {
  const { ledger, state, clock, meter } = deps;
  const { batchId, shard, epoch } = acquired;
  let record = acquired;
  let waitingObjects = 0;
  let rateFrom = acquired.leaseUntil - LEASE_MS;
  let workedFrom = rateFrom;
  const fence = createFence(clock, acquired.leaseUntil, () => {
    // A lease that was given back is not lost.
    if (record.owner) {
      meter?.('LeasesLost', 1);
      deps.warn('a turn lost its lease', { batchId, shard, epoch });
    }
    return new Error(`The lease of shard ${shard} is lost.`);
  });
  const { persist, signal } = fence;

  /**
   * Writes a checkpoint, and with `release` gives the lease back. One at a time.
   *
   * @returns whether it landed; if not, the lease is lost and nothing more may be written
   */
  async function write(snapshot: Snapshot, release?: Release): Promise<boolean> {
    const { outcomes, list } = snapshot;
    const seq = outcomes.length > 0 ? record.seq + 1 : record.seq;
    const failed = outcomes.filter((outcome) => outcome.state === 'failed').length;
    const counts = countOutcomes(outcomes);
    const next = { ...record, ...sumCounts([record, counts]), seq, rev: record.rev + 1 };
    next.cursor = snapshot.cursor;
    next.retrying = list.entries.length;
    next.partialBytes = list.entries.reduce((sum, { partial }) => sum + bytesOf(partial), 0) || undefined;
    next.helpers = list.helpers?.map(({ index, n }) => helperName(index, n));
    next.waiting = isEmpty(list) ? undefined : waitingKey(batchId, shard, seq, epoch, ++waitingObjects);
    // Progress: the crashes before it were not in vain. What care they led to stays until a clean release.
    if (outcomes.length > 0) next.crashes = Math.min(next.crashes, CARE_AFTER_CRASHES);
    const stored = storedBytes(next) - storedBytes(record);
    if (outcomes.length > 0 || stored > 0) next.rate = rateOf(outcomes.length, stored);
    next.workedMs = (record.workedMs ?? 0) + clock.now() - workedFrom + (snapshot.helpedMs ?? 0);
    workedFrom = clock.now();
    if (release) applyRelease(next, release, clock.now());

    if (outcomes.length > 0) {
      const body = Buffer.from(outcomes.map((outcome) => `${JSON.stringify(outcome)}\n`).join(''));
      const key = resultsKey(batchId, shard, { seq, epoch, failed });
      if (!(await persist(() => state.put(key, body, { signal }).then(() => true)))) return false;
    }
    if (next.waiting !== undefined) {
      const key = next.waiting;
      const body = Buffer.from(JSON.stringify(list));
      if (!(await persist(() => state.put(key, body, { signal }).then(() => true)))) return false;
    }
    if (!(await persist(() => commit(next)))) return false;
    measure(counts);
    return true;
  }

  function measure({ done, bytes, failures }: Counts): void {
    meter?.('Checkpoints', 1);
    if (done > 0) meter?.('FilesStored', done);
    if (bytes > 0) meter?.('BytesStored', bytes);
    for (const [code, n] of Object.entries(failures) as [FailureCode, number][]) meter?.('FilesFailed', n, code);
  }

  /** One try to land the record; finds out whether an unanswered or refused one did. */
  async function commit(next: ShardRecord): Promise<true | undefined> {
    const sent = next.owner ? { ...next, leaseUntil: clock.now() + LEASE_MS } : next;
    let landed: ShardRecord | undefined = sent;
    if (!(await ledger.replaceShard(sent).catch(() => false))) {
      landed = undefined;
      const stored = await ledger.getShard(batchId, shard);
      if (stored?.epoch !== epoch || stored.rev > next.rev) fence.lose();
      // Nobody else writes in this epoch: one revision on is this checkpoint, sent now or by an earlier try.
      else if (stored.rev === next.rev) landed = stored;
    }
    if (!landed) return undefined;
    const former = record.waiting;
    record = landed;
    fence.renewed(landed.leaseUntil);
    if (former !== undefined && former !== landed.waiting)
      await state.delete(former, { signal }).catch(() => undefined);
    return true;
  }

  function rateOf(outcomes: number, stored: number): NonNullable<ShardRecord['rate']> {
    const at = clock.now();
    const seconds = Math.max(1, at - rateFrom) / 1000;
    rateFrom = at;
    const bytes = Math.max(0, stored); // less than nothing, if what had landed of a file is lost
    const before = record.rate;
    const weight = before ? 1 - Math.exp(-seconds / (RATE_MS / 1000)) : 1;
    const average = (last: number, now: number) => last + weight * (now - last);
    // Rounded: a record has at most 1 KB.
    const filesPerSecond = Math.round(100 * average(before?.filesPerSecond ?? 0, outcomes / seconds)) / 100;
    return { filesPerSecond, bytesPerSecond: Math.round(average(before?.bytesPerSecond ?? 0, bytes / seconds)), at };
  }

  return {
    write,
    watch: fence.watch,
    persist,
    isFenced: fence.isOver,
    /** Aborted once the lease cannot be relied on. */
    lost: signal,
    /** The record as it last landed. */
    get record() {
      return record;
    },
  };
}

/** Bytes in the store, be they of whole files or not. */
function storedBytes({ bytes, partialBytes = 0 }: ShardRecord): number {
  return bytes + partialBytes;
}

function countOutcomes(outcomes: readonly Outcome[]): Counts {
  const counts = noCounts();
  for (const { state, bytes, code } of outcomes) {
    counts[state] += 1;
    if (state === 'done') counts.bytes += bytes ?? 0;
    if (state === 'failed' && code) counts.failures[code] = (counts.failures[code] ?? 0) + 1;
  }
  return counts;
}

function applyRelease(next: ShardRecord, release: Release, now: number): void {
  next.owner = undefined;
  next.leaseUntil = 0;
  next.crashes = 0;
  next.wakeAt = release.wakeAt;
  next.ticketed = release.ticketed;
  if (release.abroad) next.abroad = true;
  if (release.cancelled) {
    next.cancelled = next.total - next.done - next.failed - next.skipped;
    next.retrying = 0;
    next.partialBytes = undefined;
  }
  if (release.cancelled || release.finished) {
    next.finishedAt = now;
    next.ticketed = false;
  }
}
