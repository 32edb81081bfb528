import { sourceOf } from '../model/entry.ts';
import type { FailureCode } from '../model/failure.ts';
import { manifestKey, secretsKey } from '../model/layout.ts';
import {
  ABROAD_RETRY_MS,
  CARE_AFTER_CRASHES,
  LEASE_MS,
  LINGER_MS,
  MAX_CRASHES,
  MAX_KILLS,
  MAX_OUTCOMES_PER_CHECKPOINT,
  TURN_END_MS,
  TURN_TAIL_MS,
} from '../model/limits.ts';
import { readManifest } from '../plan/manifest.ts';
import type { GetOptions } from '../ports/object-store.ts';
import { createAttempts } from './attempts.ts';
import { createBacklog } from './backlog.ts';
import { createBell } from './bell.ts';
import type { Checkpointer, Release, Snapshot } from './checkpoint.ts';
import { createHelpers } from './helpers.ts';
import { createHosts } from './hosts.ts';
import { createLoans } from './loans.ts';
import type { KeptUploads } from './kept-uploads.ts';
import type { Lease } from './lease.ts';
import { createRedirectTarget } from './redirect-target.ts';
import { createRounds } from './rounds.ts';
import type { TurnBounds, TurnDeps } from './turn.ts';
import { emptyWaitingList, type WaitingEntry, type WaitingList } from './waiting.ts';

/** The state to write with the release, and what the release says. */
export interface WorkEnd extends Release {
  snapshot: Snapshot;
  /** Removes what the snapshot names no more. */
  tidy: () => Promise<void>;
}

/**
 * Works a shard under its lease until it is finished, has nothing to do for now, or must stop; checkpoints on the
 * way. Returns with nothing under way. Throws once the lease is lost and something has to be read.
 */
export async function work(
  deps: TurnDeps,
  { batch, shard, crashed, allowance }: Lease,
  checkpoints: Checkpointer,
  uploads: KeptUploads,
  bounds: TurnBounds,
  /** Called after each checkpoint that landed: keeps the ticket hidden. */
  renewed: () => Promise<unknown>,
): Promise<WorkEnd> {
  const { clock, random } = deps;
  const now = () => clock.now();
  const startedAt = now();
  const pullEnd = bounds.deadline - TURN_TAIL_MS;
  const hardEnd = bounds.deadline - TURN_END_MS;

  const get = async (key: string, range?: GetOptions): Promise<Buffer> => {
    const body = await checkpoints.persist(() => deps.state.get(key, range));
    if (!body) throw new Error(`${key} cannot be read.`);
    return body;
  };
  const readJson = async <T>(key: string) => JSON.parse(String(await get(key))) as T;
  const list = shard.waiting === undefined ? emptyWaitingList() : await readJson<WaitingList>(shard.waiting);
  uploads.name(list);
  const headers = batch.hasSecrets ? await readJson<Record<string, string>>(secretsKey(batch.id)) : {};

  const connectionsPerHost = allowance ?? shard.connectionsPerHost;
  const hosts = createHosts({
    now,
    random,
    maxFailures: batch.options.maxAttempts,
    connectionsPerHost: batch.options.connectionsPerHost,
    requestsPerSecondPerHost: batch.options.requestsPerSecondPerHost,
  });
  const backlog = createBacklog({
    now,
    hosts,
    connectionsPerHost,
    shard,
    list,
    open: (range, blockBytes) => readManifest({ get }, manifestKey(batch.id), range, blockBytes),
    abroad: allowance !== undefined,
  });
  using bell = createBell(clock);
  const redirectTarget = createRedirectTarget({ state: { get }, batch, shard, hosts, allowance });
  const loans = createLoans({ hosts, now, find: redirectTarget, changed: bell.ring });
  const helpers = createHelpers({
    service: deps,
    shard,
    prefix: batch.options.prefix,
    checkpoints,
    list,
    loans,
    find: redirectTarget,
    changed: bell.ring,
  });
  const attempts = createAttempts({
    clock,
    random,
    download: deps.download,
    batch,
    headers,
    hosts,
    backlog,
    uploads,
    redirectTarget,
    borrow: loans.borrow,
    helpers,
    isFenced: checkpoints.isFenced,
    changed: bell.ring,
    meter: deps.meter,
  });
  const rounds = createRounds({
    ledger: deps.ledger,
    now,
    checkpoints,
    batch,
    settled: attempts.settled,
    hasNews: () => attempts.hasNews() || helpers.hasNews(),
    isUrgent: helpers.isUrgent,
    snapshot,
    landed: async ({ list }) => {
      uploads.name(list);
      await renewed();
      await helpers.checkpointed(list);
    },
    ended: bell.ring,
  });

  const careful = shard.crashes >= CARE_AFTER_CRASHES;
  const connections = careful ? 1 : shard.connections;
  /** Beside those with a connection as many may store what they have: what a slow store does not take must not pile up. */
  const most = careful ? 1 : 2 * connections;
  /** Index of the entry that is about to be started with nothing else under way. */
  let alone: number | undefined;
  /** Set when what is left can only fail. */
  let doom: FailureCode | undefined;

  function snapshot(): Snapshot {
    attempts.snapshotted();
    const { cursor, list: left } = backlog.snapshot();
    const out = helpers.snapshot();
    const list = { ...left, ...(out.length > 0 && { helpers: out }), ...(alone !== undefined && { alone }) };
    return { outcomes: attempts.settled.slice(), cursor, list, helpedMs: helpers.takeWorkedMs() };
  }

  const isHalted = () => doom === undefined && rounds.batch.state !== 'running';
  /** Whether the turn must bring its work home now. */
  const mustEnd = () => checkpoints.isFenced() || bounds.stop.aborted || isHalted() || now() >= hardEnd;

  async function condemn(code: FailureCode): Promise<void> {
    doom = code;
    await attempts.abortAll('What is left of the batch ends.');
    backlog.takeAbroad();
  }

  /** Starts as many entries as may be under way now, and ends those that need no attempt. */
  async function startWhatMay(): Promise<void> {
    while (attempts.connected + loans.count < connections && attempts.count < most && !mustEnd() && now() < pullEnd) {
      if (attempts.settled.length >= MAX_OUTCOMES_PER_CHECKPOINT) await rounds.checkpoint();
      const waiting = await backlog.take((host) => {
        if (doom !== undefined || host.down) return true;
        return hosts.mayStart(host) ? 'due' : false;
      });
      if (!waiting) return;
      const host = hosts.get(sourceOf(waiting.entry), connectionsPerHost);
      const { invalid } = waiting.entry;
      if (invalid) await attempts.fail(waiting, invalid.code, invalid.message);
      else if (doom !== undefined) await attempts.fail(waiting, doom);
      else if (host.down) await attempts.failDown(waiting, host);
      else if ((waiting.kills ?? 0) >= MAX_KILLS) await attempts.fail(waiting, 'CRASHED');
      else {
        if (careful) await announceAlone(waiting);
        // The calls since the last look took time: a worker that may have been replaced starts nothing.
        if (mustEnd() || !hosts.mayStart(host)) backlog.putBack(waiting);
        else attempts.start(waiting, host);
      }
    }
  }

  /** Lends what no entry has a use for now. */
  function lendWhatIsSpare(): void {
    if (doom === undefined && !mustEnd()) loans.serve(connections - attempts.connected - loans.count);
  }

  /** Writes down which entry is about to be started with nothing else under way. */
  async function announceAlone({ entry }: WaitingEntry): Promise<void> {
    alone = entry.index;
    await rounds.checkpoint();
    alone = undefined;
  }

  /** At once, whatever the loop waits for. */
  const stopped = () => void attempts.stop('The worker stops.').then(bell.ring);
  const lost = () => void attempts.abortAll('The lease is lost.').then(bell.ring);
  bounds.stop.addEventListener('abort', stopped);
  checkpoints.lost.addEventListener('abort', lost);
  try {
    const suspect = crashed ? list.entries.find(({ entry }) => entry.index === list.alone) : undefined;
    if (suspect) suspect.kills = (suspect.kills ?? 0) + 1;
    await helpers.start();
    if (careful) helpers.recallAll();
    if (shard.crashes >= MAX_CRASHES) await condemn('CRASHED');

    for (;;) {
      if (doom === undefined && now() >= batch.deadline) await condemn('DEADLINE');
      const redirectAt = hosts.serveAll();
      await startWhatMay();
      lendWhatIsSpare();
      if (mustEnd()) break;

      const nextAt = await backlog.nextAt();
      const spent = now() >= pullEnd;
      const isLast = attempts.count === 0 && nextAt === Infinity;
      // Nothing is left for them to help with; until they are home their connections are no other shard's.
      if (isLast) helpers.recallAll();
      const waits = isLast && helpers.count > 0 && !spent;
      if (attempts.count === 0 && !waits && (backlog.isEmpty() || spent || nextAt - now() > LINGER_MS)) break;

      await rounds.go();
      await helpers.go();
      const times = [rounds.nextAt(), helpers.nextAt(), redirectAt, loans.nextAt(), hardEnd];
      if (doom === undefined) times.push(batch.deadline);
      // What is due now waits for a connection; its end rings.
      if (!spent && nextAt > now()) times.push(nextAt);
      await bell.wait(Math.min(...times) - now());
    }
  } finally {
    if (bounds.stop.aborted && !checkpoints.isFenced()) await attempts.stop('The worker stops.');
    bounds.stop.removeEventListener('abort', stopped);
    checkpoints.lost.removeEventListener('abort', lost);
    const isOver = now() >= hardEnd && !bounds.stop.aborted && !isHalted() && !checkpoints.isFenced();
    await attempts.abortAll('The turn ends.', isOver ? { startedAt } : undefined);
    await rounds.idle();
    helpers.end();
    if (checkpoints.isFenced()) await uploads.abandon(backlog.snapshot().list);
  }

  await rounds.look();
  const { state } = rounds.batch;
  // Whoever is out is looked at again before its lease can have run out, however long nothing else is due.
  const isHelped = helpers.count > 0;
  const finished = backlog.isEmpty() && !isHelped;
  const nextAt = finished ? now() : await backlog.nextAt();
  const abroad = nextAt === Infinity && !isHelped;
  const dueAt = isHelped ? Math.min(nextAt, now() + LEASE_MS) : nextAt;
  const wakeAt = abroad ? now() + ABROAD_RETRY_MS : Math.min(dueAt, batch.deadline);
  const last = snapshot();
  return {
    snapshot: last,
    tidy: () => helpers.checkpointed(last.list),
    finished,
    cancelled: state === 'cancelling' && !finished,
    abroad,
    wakeAt: Math.max(now(), wakeAt),
    ticketed: !abroad && (state !== 'paused' || doom !== undefined),
  };
}
