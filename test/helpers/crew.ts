import { setImmediate } from 'node:timers/promises';
import { createSqliteLedger } from '../../adapters/sqlite/ledger.ts';
import { createSqliteTickets } from '../../adapters/sqlite/tickets.ts';
import { listOutcomes } from '../../core/batch/files.ts';
import type { UserOptions } from '../../core/batch/options.ts';
import type { DeploymentLimits, PlanningService, Service, Summary } from '../../core/batch/service.ts';
import { submitBatch } from '../../core/batch/submit.ts';
import { sweep } from '../../core/batch/sweep.ts';
import { parseNetworks } from '../../core/download/address-guard.ts';
import { createByteBudget } from '../../core/download/byte-budget.ts';
import { createDownloader } from '../../core/download/create-downloader.ts';
import type { Job, Stored } from '../../core/download/downloader.ts';
import type { Resolver } from '../../core/download/host-addresses.ts';
import { SWEEP_INTERVAL_MS, TICKET_VISIBILITY_MS } from '../../core/model/limits.ts';
import type { Outcome } from '../../core/model/outcome.ts';
import type { ObjectStore } from '../../core/ports/object-store.ts';
import type { Delivery, Tickets } from '../../core/ports/tickets.ts';
import { runTurn } from '../../core/turn/turn.ts';
import { createRandom } from '../simulation/random.ts';
import { everyNameIsLocal } from './download.ts';
import { createManualClock, type ManualClock } from './manual-clock.ts';
import { createMemoryStore, type MemoryStore } from './memory-store.ts';

const MIB = 1024 ** 2;
const INVOCATION_MS = 15 * 60_000;
/** Turns of the event loop in which nothing is on its way, after which all that is left waits for time. */
const STILL_TURNS = 5;
/** A batch that takes longer never ends: its deadline is a week. */
const MAX_MS = 8 * 24 * 60 * 60 * 1000;

/** What the core works with, and an origin of faults can stand before. */
export type Parts = Pick<Service, 'ledger' | 'tickets' | 'state' | 'announce'> & {
  files: ObjectStore;
  resolve: Resolver;
};

export interface CrewOptions {
  limits?: Partial<DeploymentLimits>;
  seed?: number;
  resolve?: Resolver;
  /** Puts something between the core and its parts. */
  wrap?: (parts: Parts) => Parts;
}

export interface Crew extends AsyncDisposable {
  /** As it is, with nothing in between. */
  readonly service: PlanningService;
  readonly clock: ManualClock;
  readonly files: MemoryStore;
  readonly announced: readonly Summary[];
  /** For a source: lets `ms` of driven time pass, or all time; answers early once `gone` is aborted. */
  hold: (gone: AbortSignal, ms?: number) => Promise<void>;
  submit: (urls: readonly string[], options?: UserOptions) => Promise<string>;
  /** Works until no batch is open; `look` is called whenever all is still. Answers the driven milliseconds it took. */
  finish: (look?: () => Promise<void>) => Promise<number>;
  /** Every outcome of a batch, as a reader of the API pages through them, by index. */
  outcomes: (batchId: string) => Promise<Outcome[]>;
}

/**
 * The real core on one machine, workers without number that download from real servers in this process, stores in
 * memory. Time is driven: it stands still as long as anything is on its way, and then jumps to the next moment that
 * anybody waits for, be it a sleeper, a hidden ticket or the sweeper.
 */
export function createCrew({ limits, seed = 1, wrap, ...options }: CrewOptions = {}): Crew {
  const clock = createManualClock();
  const ledger = createSqliteLedger(':memory:');
  const queue = createSqliteTickets(':memory:', clock);
  const state = createMemoryStore();
  const files = createMemoryStore();
  const announced: Summary[] = [];
  /** When each hidden ticket is visible again, by its receipt. */
  const hidden = new Map<string, number>();

  const tickets: Tickets = {
    ...queue,
    async receive(limit, visibilityMs) {
      const deliveries = await queue.receive(limit, visibilityMs);
      for (const { receipt } of deliveries) hidden.set(receipt, clock.now() + visibilityMs);
      return deliveries;
    },
    async changeVisibility(receipt, delayMs) {
      await queue.changeVisibility(receipt, delayMs);
      hidden.set(receipt, clock.now() + delayMs);
    },
  };
  const announce = (summary: Summary) => {
    announced.push(summary);
    return Promise.resolve();
  };
  const whole: Parts = { ledger, tickets, state, files, announce, resolve: options.resolve ?? everyNameIsLocal };
  const parts = wrap?.(whole) ?? whole;

  const serviceOf = ({ ledger, tickets, state, files, announce }: Parts): PlanningService => ({
    startPlanner: () => Promise.reject(new Error('No list is uploaded here.')),
    ledger,
    tickets,
    state,
    files,
    announce,
    clock,
    random: createRandom(seed),
    limits: {
      maxShards: 1000,
      minEntriesPerShard: 1,
      connectionsPerShard: 16,
      connectionsPerMixedShard: 64,
      maxConnectionsPerHost: 256,
      maxTurns: 8,
      ...limits,
    },
    warn: () => undefined,
  });
  const service = serviceOf(parts);
  const downloader = createDownloader({
    files: parts.files,
    clock,
    budget: createByteBudget(32 * MIB),
    resolve: parts.resolve,
    allowedNetworks: parseNetworks(['127.0.0.0/8']),
  });

  /** Downloads under way, and what of them waits for time or for another one. */
  let downloads = 0;
  let held = 0;
  let turns = 0;
  let sweeps = 0;
  let sweepAt = clock.now() + SWEEP_INTERVAL_MS;

  async function holding<T>(wait: Promise<T>): Promise<T> {
    held += 1;
    try {
      return await wait;
    } finally {
      held -= 1;
    }
  }

  async function hold(gone: AbortSignal, ms?: number): Promise<void> {
    const forever = new Promise<void>((resolve) => gone.addEventListener('abort', () => resolve(), { once: true }));
    await holding(ms === undefined || gone.aborted ? forever : clock.sleep(ms, gone)).catch(() => undefined);
  }

  async function download(job: Job): Promise<Stored> {
    downloads += 1;
    try {
      return await downloader.download({ ...job, enterHost: (host) => holding(job.enterHost(host)) });
    } finally {
      downloads -= 1;
    }
  }

  /** One turn; where it fails, its ticket comes back by itself. */
  async function work(delivery: Delivery): Promise<void> {
    turns += 1;
    try {
      const bounds = { deadline: clock.now() + INVOCATION_MS, stop: new AbortController().signal };
      const disposition = await runTurn({ ...service, download }, delivery, bounds);
      if (disposition === 'acknowledge') await service.tickets.acknowledge(delivery.receipt);
    } catch (error) {
      if (error instanceof TypeError || error instanceof RangeError) throw error;
    } finally {
      turns -= 1;
    }
  }

  async function still(): Promise<void> {
    for (let turns = 0; turns < STILL_TURNS; turns = downloads <= held ? turns + 1 : 0) await setImmediate();
  }

  async function sweepOnce(): Promise<void> {
    sweeps += 1;
    await sweep(service).catch(() => undefined);
    sweeps -= 1;
  }

  async function finish(look?: () => Promise<void>): Promise<number> {
    const startedAt = clock.now();
    for (;;) {
      const deliveries = await service.tickets.receive(100, TICKET_VISIBILITY_MS).catch(() => []);
      for (const delivery of deliveries) void work(delivery);
      await still();
      await look?.();
      if (turns + sweeps === 0 && (await ledger.listOpen()).length === 0) return clock.now() - startedAt;
      if (clock.now() - startedAt > MAX_MS) throw new Error('The batch does not end.');
      if (clock.now() >= sweepAt) {
        sweepAt = clock.now() + SWEEP_INTERVAL_MS;
        void sweepOnce();
        continue;
      }
      const visible = [...hidden.values()].filter((time) => time > clock.now());
      await clock.advanceTo(Math.min(clock.nextDue() ?? Infinity, sweepAt, ...visible));
    }
  }

  const bare = serviceOf(whole);

  async function outcomes(batchId: string): Promise<Outcome[]> {
    const all: Outcome[] = [];
    for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
      const page = await listOutcomes(bare, batchId, { limit: 1000, cursor });
      all.push(...page.files);
      cursor = page.nextCursor;
    }
    return all.sort((a, b) => a.index - b.index);
  }

  return {
    service: bare,
    clock,
    files,
    announced,
    hold,
    submit: (urls, userOptions = {}) =>
      submitBatch(service, {
        items: urls.map((value, i) => ({ line: i + 1, value })),
        options: userOptions,
        headers: {},
      }),
    finish,
    outcomes,
    async [Symbol.asyncDispose]() {
      await downloader.close();
      ledger.close();
      queue.close();
    },
  };
}
