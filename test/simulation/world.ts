import type { PlanningService, Service, Summary } from '../../core/batch/service.ts';
import type { Outcome } from '../../core/model/outcome.ts';
import { MAX_PLANNINGS } from '../../core/model/limits.ts';
import type { BatchRecord, HelperRecord, ShardRecord } from '../../core/model/records.ts';
import type { WaitingList } from '../../core/turn/waiting.ts';
import type { Core } from './core.ts';
import { checkProgress, checkShard, must, outcomesOf, Violation } from './invariants.ts';
import { Parks } from './parks.ts';
import { Scheduler, type Actor } from './scheduler.ts';
import { nameOf, Servers } from './servers.ts';
import { createSources, drawList, LARGE_PARTS, type Connection } from './sources.ts';

const DAY_MS = 86_400_000;
const SWEEP_MS = 60_000;
const INVOCATION_MS = 900_000;
const MAX_ATTEMPTS = 4;
/** Those charged to the entry, and those that its host, which worked for others, failed. */
const MOST_ATTEMPTS = MAX_ATTEMPTS + 4 * MAX_ATTEMPTS;
/** The list that is uploaded where one is, and the request where it has an idempotency key. */
const LIST_ID = '018bcfe5-6800-7000-8000-000000000000';
const REQUEST = { key: 'key', request: 'request' };
/** A run that takes more has no end. */
const STEPS_AT_MOST = 60_000;

export interface Result {
  violation: Violation | undefined;
  trace: string[];
  careTurns: number;
  /** Codes of failures, and what else the run met. */
  codes: Set<string>;
}

/** One run: a batch or two under a seeded schedule of faults, then a calm in which everything must end. */
export async function explore(core: Core, seed: number, options: { faults?: boolean } = {}): Promise<Result> {
  const world = new World(core, seed, options.faults ?? true);
  let violation: Violation | undefined;
  try {
    await world.run(300 + (seed % 5) * 150);
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    violation = error;
  }
  return {
    violation: violation ?? world.found,
    trace: world.scheduler.trace,
    careTurns: world.careTurns,
    codes: world.codes,
  };
}

class World {
  readonly scheduler: Scheduler;
  found: Violation | undefined;
  careTurns = 0;
  readonly codes = new Set<string>();
  private readonly servers: Servers;
  private readonly sources: ReturnType<typeof createSources>;
  private readonly list: { url: string }[];
  /** Whether a planner reads the list, whether the request has an idempotency key, whether the batch is deleted at last. */
  private readonly ways: { uploaded: boolean; keyed: boolean; deleted: boolean };
  private readonly connectionsPerHost: number;
  private readonly deadlineSeconds: number;
  private readonly limits: Service['limits'];
  private readonly announced = new Map<string, Summary>();
  private readonly progress = new Map<string, Record<string, number>>();
  private readonly epochs = new Map<Actor, { batchId: string; shard: number; epoch: number }>();
  /** Helpers that workers hold. */
  private readonly helping = new Map<Actor, HelperRecord>();
  private readonly parks = new Parks();
  private readonly stops = new Map<Actor, AbortController>();
  private readonly core: Core;
  private sweptAt = 0;

  constructor(core: Core, seed: number, faults: boolean) {
    this.core = core;
    this.scheduler = new Scheduler(seed, faults);
    this.servers = new Servers(this.scheduler);
    this.sources = createSources(this.scheduler, this.servers, core, {
      opened: (connection) => this.guard(() => this.checkConnection(connection)),
      putOff: ({ actor, host }, until) => this.parks.heard(actor, host, until),
    });
    const large = seed % 4 === 1;
    this.list = drawList(this.scheduler, { killers: seed % 3 === 0, large });
    this.connectionsPerHost = (large ? 2 : 1) + this.scheduler.int(large ? 3 : 4);
    this.deadlineSeconds = this.scheduler.chance(0.15) ? 60 + this.scheduler.int(1800) : 7 * 86_400;
    this.limits = {
      maxShards: 1 + this.scheduler.int(4),
      minEntriesPerShard: 1 + this.scheduler.int(4),
      connectionsPerShard: (large ? 4 : 1) + this.scheduler.int(2),
      connectionsPerMixedShard: (large ? 4 : 2) + this.scheduler.int(3),
      maxConnectionsPerHost: 16,
      maxTurns: 4,
    };
    this.ways = {
      uploaded: this.scheduler.chance(0.4),
      keyed: this.scheduler.chance(0.4),
      deleted: this.scheduler.chance(0.3),
    };
    const text = this.list.map(({ url }) => url).join('\n');
    const announced = JSON.stringify({ bytes: text.length, format: 'text' });
    this.servers.state.set(`lists/${LIST_ID}`, Buffer.from(text)).set(`lists/${LIST_ID}.json`, Buffer.from(announced));
    this.servers.changed = (batchId, shard) =>
      this.guard(() => {
        checkShard(this.servers, batchId, shard);
        this.checkHelpersHome(batchId, shard);
      });
    this.servers.taken = (record, by) => {
      this.helping.set(by, record);
      this.codes.add('helped');
      this.trouble(record);
    };
    this.servers.landed = (record, by) => this.parks.landed(by, record);
    this.servers.leased = (record, by) => this.guard(() => this.checkTakeover(record, by));
  }

  /** Checks run inside calls of the core, which would take their errors for a fault: they are kept and thrown outside. */
  private guard(check: () => void): void {
    try {
      check();
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      this.scheduler.log(`!! ${error.message}`);
      this.found ??= error;
    }
  }

  private service(actor: Actor): PlanningService {
    const { scheduler, servers } = this;
    return {
      ledger: servers.ledger(actor),
      tickets: servers.tickets(actor),
      state: servers.store(actor, servers.state),
      files: servers.store(actor, servers.files),
      clock: { now: () => scheduler.now, sleep: (ms, signal) => scheduler.sleep(actor, ms, signal) },
      random: scheduler.random,
      limits: this.limits,
      startPlanner: (batchId) => scheduler.call(actor, 'start planner', () => this.plan(batchId)),
      announce: (summary) => scheduler.call(actor, 'announce', () => void this.announced.set(summary.id, summary)),
      warn: (message, details) => {
        scheduler.log(`warning: ${message} ${JSON.stringify(details)}`);
        const ours = message === 'sweep failed' && !String(details.error).endsWith('no answer');
        this.guard(() => must(!ours, 'sweep-failed', () => String(details.error)));
      },
    };
  }

  /**
   * No connection is opened by a worker whose shard another one works, nor beyond what the batch may have to a host,
   * nor to a host that has put it off.
   */
  private checkConnection(connection: Connection): void {
    const lease = this.epochs.get(connection.actor);
    const record = lease && this.servers.shards.get(`${lease.batchId}/${lease.shard}`);
    must(
      !lease || record?.epoch === lease.epoch,
      'stale-start',
      () => `${connection.actor.name} opens ${connection.index} in epoch ${lease?.epoch ?? 0}`,
    );
    this.checkHelper(connection);
    const until = this.parks.until(connection.actor, connection.host);
    must(
      until <= this.scheduler.now,
      'asked-early',
      () => `${connection.actor.name} asks ${connection.host} ${until - this.scheduler.now} ms before its time`,
    );
    if (!this.list.some(({ url }) => url.startsWith(`https://${connection.host}/`))) return;
    const open = [...this.sources.open].filter(
      ({ actor, host }) =>
        host === connection.host &&
        actor.alive &&
        !actor.wasFrozen &&
        this.batchOf(actor) === this.batchOf(connection.actor),
    );
    must(
      open.length <= this.connectionsPerHost,
      'too-many-connections',
      () => `${open.length} of ${this.connectionsPerHost} to ${connection.host}`,
    );
  }

  /** Who has asked for help may not be there any more when it comes. */
  private trouble({ batchId, shard }: HelperRecord): void {
    const { scheduler } = this;
    for (const [actor, lease] of this.epochs) {
      if (!actor.alive || scheduler.calm || lease.batchId !== batchId || lease.shard !== shard) continue;
      if (scheduler.chance(0.15)) scheduler.kill(actor, 'as help comes');
      else if (scheduler.chance(0.15)) this.stop(actor);
    }
  }

  private batchOf(actor: Actor): string | undefined {
    return (this.epochs.get(actor) ?? this.helping.get(actor))?.batchId;
  }

  /** A helper opens no connection once its parts are somebody else's, unless time passed it by. */
  private checkHelper({ actor, index }: Connection): void {
    const held = this.helping.get(actor);
    if (!held || actor.wasFrozen) return;
    const record = this.servers.helpers.get(nameOf(held));
    must(
      record !== undefined && record.endedAt === undefined,
      'stale-helper',
      () => `${actor.name} opens ${index} although ${held.name} has ended`,
    );
  }

  /** A shard that has finished of itself has no helper at work. */
  private checkHelpersHome(batchId: string, shard: number): void {
    if (this.servers.shards.get(`${batchId}/${shard}`)?.finishedAt === undefined) return;
    if (this.servers.batches.get(batchId)?.state === 'cancelling') return;
    for (const { actor } of this.sources.open) {
      const held = this.helping.get(actor);
      if (held?.batchId !== batchId || held.shard !== shard || !actor.alive || actor.wasFrozen) continue;
      must(false, 'helper-left', () => `shard ${shard} finishes while ${actor.name} has connections`);
    }
  }

  /** A worker that loses its lease has let go of its connections before, unless time passed it by. */
  private checkTakeover(record: ShardRecord, by: Actor): void {
    const { batchId, shard, epoch, waiting } = record;
    for (const { actor } of this.sources.open) {
      const lease = this.epochs.get(actor);
      if (actor === by || !actor.alive || actor.wasFrozen || lease?.batchId !== batchId || lease.shard !== shard)
        continue;
      must(false, 'overlap', () => `${by.name} takes shard ${shard} while ${actor.name} has connections`);
    }
    this.epochs.set(by, { batchId, shard, epoch });
    const list = waiting === undefined ? undefined : this.servers.state.get(waiting);
    this.parks.taken(by, record, list ? (JSON.parse(String(list)) as WaitingList).hosts : []);
  }

  private submit(): void {
    const items = this.list.map((value, i) => ({ line: i + 1, value }));
    const options = {
      connectionsPerHost: this.connectionsPerHost,
      deadlineSeconds: this.deadlineSeconds,
      maxAttempts: MAX_ATTEMPTS,
    };
    this.scheduler.spawn('submit', (actor) => {
      const service = this.service(actor);
      const start = (as: { id?: string; claim?: string } = {}) =>
        this.ways.uploaded
          ? this.core.submitList(service, { list: { id: LIST_ID }, options, headers: {}, ...as })
          : this.core.submitBatch(service, { items, options, headers: {}, ...as });
      if (!this.ways.keyed) return start();
      return this.core.startOnce(service, REQUEST, ({ batchId, key }) => start({ id: batchId, claim: key }));
    });
  }

  /** As Lambda does, once it is asked: elsewhere, and for each time it is asked. */
  private plan(batchId: string): void {
    this.scheduler.spawn('planner', (actor) => this.core.planList(this.service(actor), batchId));
  }

  private work(): boolean {
    const { scheduler, servers } = this;
    const delivery = servers.deliver(!scheduler.calm && scheduler.chance(0.1));
    if (!delivery) return false;
    if ((servers.shards.get(`${delivery.ticket.batchId}/${delivery.ticket.shard}`)?.crashes ?? 0) >= 2)
      this.careTurns += 1;
    const stop = new AbortController();
    const { shard, helper } = delivery.ticket;
    const actor = scheduler.spawn(`worker ${delivery.receipt} of ${helper ?? `shard ${shard}`}`, async (self) => {
      const deps = {
        ...this.service(self),
        download: (job: Parameters<typeof this.sources.download>[1]) => this.sources.download(self, job),
        fetchParts: (job: Parameters<typeof this.sources.fetchParts>[1]) => this.sources.fetchParts(self, job),
      };
      const bounds = { deadline: scheduler.now + INVOCATION_MS, stop: stop.signal };
      const disposition = await this.core.runTurn(deps, delivery, bounds);
      if (disposition === 'acknowledge') await deps.tickets.acknowledge(delivery.receipt);
      this.guard(() =>
        must(
          ![...this.sources.open].some((c) => c.actor === self),
          'left-open',
          () => `${self.name} returned with connections open`,
        ),
      );
    });
    this.stops.set(actor, stop);
    return true;
  }

  private status(): void {
    for (const { id } of this.servers.batches.values()) {
      this.scheduler.spawn('status', async (actor) => {
        const { total, done, failed, skipped, cancelled, pending } = await this.core.batchStatus(
          this.service(actor),
          id,
        );
        const counts = { done, failed, skipped, cancelled };
        this.guard(() => {
          must(total === done + failed + skipped + cancelled + pending && pending >= 0, 'identity', () =>
            JSON.stringify({ total, ...counts, pending }),
          );
        });
      });
      // The order in which answers arrive is not the order of the reads: progress is checked on the records themselves.
      const shards = this.servers.shardsOf(id);
      const sum = (of: 'done' | 'failed' | 'skipped' | 'cancelled') => shards.reduce((n, shard) => n + shard[of], 0);
      const now = { done: sum('done'), failed: sum('failed'), skipped: sum('skipped'), cancelled: sum('cancelled') };
      this.guard(() => checkProgress(this.progress.get(id), now));
      this.progress.set(id, now);
    }
  }

  private control(): void {
    const batch = [...this.servers.batches.values()][this.scheduler.int(this.servers.batches.size)];
    if (!batch) return;
    const what =
      (['pauseBatch', 'resumeBatch', 'resumeBatch', 'cancelBatch'] as const)[this.scheduler.int(4)] ?? 'resumeBatch';
    if (what === 'cancelBatch' && this.scheduler.chance(0.7)) return;
    this.order(what, batch.id);
  }

  private order(what: 'pauseBatch' | 'resumeBatch' | 'cancelBatch', id: string): void {
    this.scheduler.spawn(what, async (actor) => {
      try {
        await this.core[what](this.service(actor), id);
      } catch (error) {
        if (!(error instanceof Error && error.name === 'BatchStateError')) throw error;
      }
    });
  }

  private async advance(ms: number): Promise<void> {
    await this.scheduler.advance(ms, flush);
    if (this.scheduler.now - this.sweptAt < SWEEP_MS) return;
    this.sweptAt = this.scheduler.now;
    this.scheduler.spawn('sweeper', (actor) => this.core.sweep(this.service(actor)));
  }

  async run(steps: number): Promise<void> {
    const { scheduler, servers } = this;
    this.submit();
    // A twin, whose client did not wait for the answer.
    if (this.ways.keyed) this.submit();
    let submissions = 1;
    for (let i = 0; i < steps; i++) {
      await flush();
      if (this.found) throw this.found;
      const x = scheduler.random();
      const running = scheduler.running();
      if (x < 0.02) scheduler.land();
      else if (x < 0.023 && servers.queue.length > 0 && scheduler.chance(0.3)) servers.loseTicket();
      else if (x < 0.033) this.control();
      else if (x < 0.05) this.status();
      else if (x < 0.056) this.freezeOne(running);
      else if (x < 0.06) this.stopOne(running);
      else if (x < 0.15) this.work();
      else if (x < 0.2) await this.advance(1 + scheduler.int(4000));
      else if (x < 0.21) await this.advance(10_000 + scheduler.int(300_000));
      else if (!scheduler.step()) {
        if (!scheduler.busy() && servers.born.size === 0 && submissions++ < 3) this.submit();
        else if (!this.work()) await this.advance(1 + scheduler.int(20_000));
      }
    }
    await this.settle();
    await this.checkEnd();
    if (this.ways.deleted) await this.deleteAll();
  }

  /** Deletes all batches, under faults, until nothing is left of them. */
  private async deleteAll(): Promise<void> {
    const { scheduler, servers } = this;
    scheduler.log('--- deletion');
    const remove = (id: string) =>
      scheduler.spawn('delete', async (actor) => {
        await this.core.deleteBatch(this.service(actor), id).catch((error: unknown) => {
          if (!(error instanceof Error && error.name === 'UnknownBatchError')) throw error;
        });
      });
    const ids = [...servers.batches.keys()];
    scheduler.calm = false;
    for (const id of ids) for (let twins = 1 + scheduler.int(2); twins > 0; twins--) remove(id);
    while (scheduler.busy()) {
      await flush();
      if (!scheduler.step() && scheduler.busy()) await this.advance(SWEEP_MS);
    }
    scheduler.calm = true;
    for (let i = 0; ; i++) {
      await flush();
      if (this.found) throw this.found;
      must(i < STEPS_AT_MOST, 'never-deleted', () => this.describe());
      if (scheduler.onTheWire > 0 && scheduler.chance(0.2)) scheduler.land();
      else if (scheduler.step()) continue;
      else if (scheduler.busy() || servers.open.size > 0 || scheduler.onTheWire > 0) await this.advance(SWEEP_MS);
      else if (servers.batches.size === 0) break;
      // Of one that had not begun its client would hear nothing, and ask again.
      else for (const id of servers.batches.keys()) remove(id);
    }
    // A submission that died before there was a batch can have left what nobody knows of: that is not this batch's.
    const kept = [...servers.state.keys()].filter((key) => ids.some((id) => key.includes(id)));
    must(servers.shards.size === 0 && kept.length === 0, 'not-deleted', () => kept.join());
    if (this.ways.keyed) await this.checkNotStartedAgain();
    this.codes.add('deleted');
  }

  /** A request whose batch was deleted starts no other. */
  private async checkNotStartedAgain(): Promise<void> {
    if (![...this.servers.claims.values()].some(({ expiresAt }) => expiresAt > this.scheduler.now)) return;
    const born = this.servers.born.size;
    this.submit();
    while (this.scheduler.busy()) {
      await flush();
      if (!this.scheduler.step()) break;
    }
    must(this.servers.born.size === born, 'started-again', () => 'after its deletion');
  }

  private freezeOne(running: Actor[]): void {
    const actor = running[this.scheduler.int(running.length)];
    if (actor) this.scheduler.freeze(actor, 20_000 + this.scheduler.int(150_000));
  }

  private stopOne(running: Actor[]): void {
    const actor = running[this.scheduler.int(running.length)];
    if (actor) this.stop(actor);
  }

  private stop(actor: Actor): void {
    const stop = this.stops.get(actor);
    if (!stop) return;
    this.scheduler.log(`${actor.name} is told to stop`);
    stop.abort(new Error('The host goes down.'));
  }

  /** No more faults: every batch must end. */
  private async settle(): Promise<void> {
    const { scheduler, servers } = this;
    scheduler.log('--- calm');
    scheduler.calm = true;
    const end = scheduler.now + 9 * DAY_MS;
    for (let i = 0; ; i++) {
      await flush();
      if (this.found) throw this.found;
      must(i < STEPS_AT_MOST && scheduler.now < end, 'never-ends', () => this.describe());
      if (scheduler.onTheWire > 0 && scheduler.chance(0.2)) scheduler.land();
      else if (scheduler.step() || this.work()) continue;
      else if (scheduler.busy()) await this.advance(Math.max(1, Math.min(scheduler.untilNextAlarm(), 3_600_000)));
      else if (servers.born.size === 0 && scheduler.onTheWire === 0) this.submit();
      else if (servers.open.size === 0 && servers.queue.length === 0 && scheduler.onTheWire === 0) break;
      else {
        for (const { id, state } of servers.batches.values())
          if (state === 'paused' && scheduler.chance(0.2)) this.order('resumeBatch', id);
        await this.advance(SWEEP_MS);
      }
    }
  }

  private describe(): string {
    const batches = [...this.servers.batches.values()].map((b) => `${b.state} closed ${String(b.closedAt)}`);
    const shards = [...this.servers.shards.values()].map(
      (s) => `${s.shard}: ${s.finishedAt ? 'finished' : 'open'} ${s.done + s.failed}/${s.total}`,
    );
    return `${batches.join()}; ${shards.join(', ')}; queue ${this.servers.queue.length}, open ${this.servers.open.size}`;
  }

  private async checkEnd(): Promise<void> {
    this.status();
    this.checkUploads();
    must(!this.ways.keyed || this.servers.born.size === 1, 'started-twice', () => [...this.servers.born].join());
    for (const batch of this.servers.batches.values()) {
      const { id } = batch;
      if (batch.shardCount === 0) {
        this.checkUnplanned(batch);
        continue;
      }
      const shards = this.servers.shardsOf(id);
      const outcomes = shards.flatMap((shard) => outcomesOf(this.servers, shard));
      const summary = JSON.parse(String(this.servers.state.get(`batches/${id}/summary.json`) ?? '{}')) as Summary;
      const { done, failed, skipped, cancelled, total } = summary;
      must(batch.closedAt !== undefined && batch.notifiedAt !== undefined, 'not-closed', () => batch.state);
      must(this.announced.has(id), 'not-announced', () => id);
      must(total === this.list.length && done + failed + skipped + cancelled === total, 'summary-wrong', () =>
        JSON.stringify(summary),
      );
      must(
        outcomes.length + cancelled === total,
        'entry-lost',
        () => `${outcomes.length} outcomes and ${cancelled} cancelled of ${total}`,
      );
      must(cancelled === 0 || batch.state === 'cancelled', 'cancelled-unasked', () => batch.state);
      must(new Set(outcomes.map((o) => o.index)).size === outcomes.length, 'outcome-twice', () => 'over all shards');
      for (const outcome of outcomes) this.checkOutcome(id, outcome);
      for (const { code } of outcomes) if (code) this.codes.add(code);
      if (cancelled > 0) this.codes.add('cancelled');
      if (shards.some((shard) => shard.abroad === true)) this.codes.add('abroad');
      const list = String(this.servers.state.get(`batches/${id}/failed.jsonl`) ?? '')
        .split('\n')
        .filter(Boolean);
      must(list.length === failed, 'failed-list-wrong', () => `${list.length} of ${failed}`);
      await this.checkPages(id, outcomes);
    }
  }

  /** Where nobody was lost, no call went astray and time passed nobody by, no upload is left open. */
  private checkUploads(): void {
    const trouble = / DIES | FREEZES|answer lost|still on the wire|: refused/;
    if (this.scheduler.trace.some((line) => trouble.test(line))) return;
    must(this.servers.uploads.size === 0, 'upload-left-open', () => [...this.servers.uploads.keys()].join());
    if (this.codes.has('helped')) this.codes.add('helped without trouble');
  }

  /** A batch without a plan was cancelled before, or no planner lived long enough. */
  private checkUnplanned(batch: BatchRecord): void {
    const { state, total, plannings = 0, deadline, closedAt = 0 } = batch;
    const given = state === 'rejected' && (plannings > MAX_PLANNINGS || closedAt >= deadline);
    must(this.ways.uploaded && (state === 'cancelled' || given), 'not-planned', () => `${state} after ${plannings}`);
    must(total === 0 && batch.notifiedAt !== undefined, 'not-closed', () => `${state} of ${total}`);
    must(this.announced.has(batch.id), 'not-announced', () => batch.id);
    this.codes.add(`${state} while planned`);
  }

  private checkOutcome(id: string, { state, key, url, code, attempts }: Outcome): void {
    must(attempts <= MOST_ATTEMPTS, 'too-many-attempts', () => `${url} ${attempts}`);
    if (state === 'done')
      must(String(this.servers.files.get(`${id}/${key}`)).startsWith(url), 'file-missing', () => url);
    if (state === 'done' && url.includes('/large/'))
      this.checkLarge(url, String(this.servers.files.get(`${id}/${key}`)));
    const late = code === 'DEADLINE' && this.deadlineSeconds < 86_400;
    if (url.includes('/gone/') && !url.includes('dead'))
      must(state === 'failed', 'wrong-outcome', () => `${url} ${state}`);
    if (code === 'DEADLINE') must(late, 'too-late', () => url);
  }

  /** All parts, in their order, of one version. */
  private checkLarge(url: string, stored: string): void {
    const lines = stored.trimEnd().split('\n');
    const [, version = ''] = /^(.*) 1$/.exec(lines[0] ?? '') ?? [];
    const whole = Array.from({ length: LARGE_PARTS }, (_, i) => `${version} ${i + 1}`);
    must(lines.join() === whole.join(), 'short-file', () => `${url}: ${lines.join()}`);
    this.codes.add('large');
  }

  /** A reader of the API sees every outcome once. */
  private async checkPages(id: string, outcomes: Outcome[]): Promise<void> {
    const seen: number[] = [];
    const limit = 1 + this.scheduler.int(5);
    const reader = this.scheduler.spawn('reader', async (actor) => {
      let cursor: string | undefined;
      do {
        const page = await this.core.listOutcomes(this.service(actor), id, { limit, cursor });
        seen.push(...page.files.map((file) => file.index));
        cursor = page.nextCursor;
      } while (cursor !== undefined && seen.length <= outcomes.length);
    });
    while (reader.alive) {
      await flush();
      this.scheduler.step();
    }
    const same =
      seen.sort((a, b) => a - b).join() ===
      outcomes
        .map((o) => o.index)
        .sort((a, b) => a - b)
        .join();
    must(same, 'pages-differ', () => `${seen.length} of ${outcomes.length}`);
  }
}

/** Lets everything that can go on without an answer do so. */
function flush(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
