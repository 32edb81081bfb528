import { hostOf } from '../model/entry.ts';
import type { FailureCode } from '../model/failure.ts';
import { manifestKey, secretsKey } from '../model/layout.ts';
import {
  ABROAD_RETRY_MS,
  CARE_AFTER_CRASHES,
  CHECKPOINT_MS,
  LINGER_MS,
  MAX_CRASHES,
  MAX_KILLS,
  MAX_OUTCOMES_PER_CHECKPOINT,
  RENEW_MS,
  TURN_BUDGET_MS,
  TURN_END_MS,
} from '../model/limits.ts';
import type { GetOptions } from '../ports/object-store.ts';
import { findHost } from '../plan/host-index.ts';
import { readManifest } from '../plan/manifest.ts';
import { createAttempts, LeadsAbroad } from './attempts.ts';
import { createBacklog } from './backlog.ts';
import type { Checkpointer, Release, Snapshot } from './checkpoint.ts';
import { createHosts, type Host } from './hosts.ts';
import type { Acquired } from './lease.ts';
import type { TurnBounds, TurnDeps } from './turn.ts';
import { emptyWaitingList, type WaitingList } from './waiting.ts';

/** The state to write with the release, and what the release says. */
export interface WorkEnd extends Release {
  snapshot: Snapshot;
}

/**
 * Works a shard under its lease until it is finished, has nothing to do for now, or must stop; checkpoints on the
 * way. Returns with nothing under way. Once the lease is lost what it returns counts for nothing.
 */
export async function work(
  deps: TurnDeps,
  acquired: Extract<Acquired, object & { shard: unknown }>,
  checkpoints: Checkpointer,
  bounds: TurnBounds,
  /** Called after each checkpoint that landed: keeps the ticket hidden. */
  renewed: () => Promise<unknown>,
): Promise<WorkEnd> {
  const { clock, random, ledger, download } = deps;
  const { shard, allowance } = acquired;
  let { batch } = acquired;
  const { options } = batch;
  const now = () => clock.now();
  const budgetEnd = now() + TURN_BUDGET_MS;
  const hardEnd = bounds.deadline - TURN_END_MS;

  const get = async (key: string, range?: GetOptions): Promise<Buffer> => {
    const body = await checkpoints.persist(() => deps.state.get(key, range));
    if (!body) throw new Error(`${key} cannot be read.`);
    return body;
  };
  const readJson = async <T>(key: string) => JSON.parse(String(await get(key))) as T;

  const list = shard.waiting === undefined ? emptyWaitingList() : await readJson<WaitingList>(shard.waiting);
  const headers = batch.hasSecrets ? await readJson<Record<string, string>>(secretsKey(batch.id)) : {};
  const connectionsPerHost = allowance ?? shard.connectionsPerHost;
  const hosts = createHosts({
    now,
    random,
    maxFailures: options.maxAttempts,
    startsPerSecond:
      options.requestsPerSecondPerHost === undefined
        ? undefined
        : (options.requestsPerSecondPerHost * connectionsPerHost) / options.connectionsPerHost,
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

  let rung = false;
  let alarm: AbortController | undefined;
  /** Ends the present wait, or the next one before it begins. */
  const ring = () => {
    rung = true;
    alarm?.abort();
  };
  const wait = async (ms: number) => {
    alarm = new AbortController();
    if (!rung && ms > 0) await clock.sleep(ms, alarm.signal).catch(() => undefined);
    rung = false;
  };

  const attempts = createAttempts({
    clock,
    random,
    download,
    batch,
    headers,
    hosts,
    backlog,
    redirectTarget,
    ended: ring,
  });

  /** Each host's connections are for its own shards; one that was not planned is shared evenly. */
  async function redirectTarget(name: string): Promise<Host> {
    if (allowance !== undefined) return hosts.getGuest(name, allowance);
    if (hosts.isOwn(name)) return hosts.get(name, connectionsPerHost);
    const owner = batch.shardCount === 1 ? undefined : await findHost({ get }, batch.id, batch.hostCount, name);
    if (owner === shard.shard) return hosts.get(name, connectionsPerHost);
    if (owner !== undefined) throw new LeadsAbroad();
    return hosts.getGuest(name, Math.max(1, Math.floor(options.connectionsPerHost / batch.shardCount)));
  }

  const careful = shard.crashes >= CARE_AFTER_CRASHES;
  const connections = careful ? 1 : shard.connections;
  /** Index of the entry that is about to be started with nothing else under way. */
  let alone: number | undefined;
  /** Set when what is left can only fail. */
  let doom: FailureCode | undefined;

  /** What became of the entry that was alone with a worker that died. */
  async function blame(): Promise<void> {
    const suspect = acquired.crashed ? list.entries.find(({ entry }) => entry.index === list.alone) : undefined;
    if (suspect) suspect.kills = (suspect.kills ?? 0) + 1;
    if (shard.crashes >= MAX_CRASHES) await condemn('CRASHED');
  }

  async function condemn(code: FailureCode): Promise<void> {
    doom = code;
    await attempts.abortAll('What is left of the batch ends.');
    backlog.takeAbroad();
  }

  let checkpointedAt = now();
  let lookedAt = now();
  let writing: Promise<void> | undefined;

  const snapshot = (): Snapshot => {
    const { cursor, list } = backlog.snapshot();
    return { outcomes: attempts.settled.slice(), cursor, list: alone === undefined ? list : { ...list, alone } };
  };

  /** Writes a checkpoint of this very moment, after the one under way. Afterwards it looks at the batch. */
  async function checkpoint(): Promise<void> {
    await writing;
    const taken = snapshot();
    checkpointedAt = now();
    writing = (async () => {
      if (!(await checkpoints.write(taken))) return;
      attempts.settled.splice(0, taken.outcomes.length);
      await renewed();
      await look();
    })().finally(() => {
      writing = undefined;
      ring();
    });
    await writing;
  }

  /** Sees whether the batch was paused or cancelled. */
  async function look(): Promise<void> {
    lookedAt = now();
    batch = (await ledger.getBatch(batch.id).catch(() => undefined)) ?? batch;
  }

  const called = () => bounds.stop.aborted || (doom === undefined && batch.state !== 'running') || now() >= hardEnd;
  const isLost = () => checkpoints.isFenced();

  /** Starts as many entries as may be under way now, and ends those that need no attempt. */
  async function startWhatMay(): Promise<void> {
    while (attempts.count < connections && !isLost() && !called() && now() < budgetEnd) {
      if (attempts.settled.length >= MAX_OUTCOMES_PER_CHECKPOINT) await checkpoint();
      const waiting = await backlog.take((host) => {
        if (doom !== undefined || host.down) return true;
        return hosts.mayStart(host) ? 'due' : false;
      });
      if (!waiting) return;
      const host = hosts.get(hostOf(waiting.entry.url), connectionsPerHost);
      if (doom !== undefined) attempts.fail(waiting, doom);
      else if (host.down) attempts.failDown(waiting, host);
      else if ((waiting.kills ?? 0) >= MAX_KILLS) attempts.fail(waiting, 'CRASHED');
      else if (!careful) start();
      else await startAlone();

      function start(): void {
        if (!waiting) return;
        // The reads since the last look took time: a worker that may have been replaced starts nothing.
        if (isLost() || called() || !hosts.mayStart(host)) backlog.putBack(waiting);
        else attempts.start(waiting, host);
      }

      async function startAlone(): Promise<void> {
        alone = waiting?.entry.index;
        await checkpoint();
        alone = undefined;
        start();
      }
    }
  }

  /** At once, whatever the loop waits for. */
  const stopped = () => void attempts.abortAll('The turn must stop.').then(ring);
  bounds.stop.addEventListener('abort', stopped);
  checkpoints.lost.addEventListener('abort', stopped);
  try {
    await blame();
    for (;;) {
      if (doom === undefined && now() >= batch.deadline) await condemn('DEADLINE');
      if (isLost() || called()) break;
      const redirectAt = hosts.serveAll();
      await startWhatMay();
      if (isLost() || called()) break;

      const nextAt = await backlog.nextAt();
      const spent = now() >= budgetEnd;
      if (attempts.count === 0 && (backlog.isEmpty() || spent || nextAt - now() > LINGER_MS)) break;

      const checkpointAt = checkpointedAt + (attempts.settled.length > 0 ? CHECKPOINT_MS : RENEW_MS);
      const lookAt = lookedAt + CHECKPOINT_MS;
      if (!writing && now() >= checkpointAt) void checkpoint();
      else if (!writing && now() >= lookAt) await look();
      const endAt = doom === undefined ? Math.min(batch.deadline, hardEnd) : hardEnd;
      const times = [writing ? Infinity : Math.min(checkpointAt, lookAt), redirectAt, endAt];
      // What is due now waits for a connection; its end rings.
      if (!spent && nextAt > now()) times.push(nextAt);
      await wait(Math.min(...times) - now());
    }
  } finally {
    bounds.stop.removeEventListener('abort', stopped);
    checkpoints.lost.removeEventListener('abort', stopped);
    await attempts.abortAll('The turn ends.');
    await writing;
  }

  await look();
  const cancelled = batch.state === 'cancelling';
  const paused = batch.state === 'paused' && doom === undefined;
  const finished = backlog.isEmpty();
  const nextAt = finished ? now() : await backlog.nextAt();
  const abroad = !finished && nextAt === Infinity;
  return {
    snapshot: snapshot(),
    finished,
    cancelled: cancelled && !finished,
    abroad,
    wakeAt: Math.min(abroad ? now() + ABROAD_RETRY_MS : Math.max(nextAt, now()), Math.max(batch.deadline, now())),
    ticketed: !paused && !abroad,
  };
}
