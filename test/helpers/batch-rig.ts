import { setImmediate } from 'node:timers/promises';
import { expect, onTestFinished } from 'vitest';
import { listOutcomes } from '../../core/batch/files.ts';
import { batchStatus, type BatchStatus } from '../../core/batch/status.ts';
import type { UserOptions } from '../../core/batch/options.ts';
import { sweep } from '../../core/batch/sweep.ts';
import { parseNetworks } from '../../core/download/address-guard.ts';
import { createByteBudget, type ByteBudget } from '../../core/download/byte-budget.ts';
import { createDownloader } from '../../core/download/create-downloader.ts';
import type { Download, FetchParts, PartsJob } from '../../core/download/downloader.ts';
import type { HelpSettings } from '../../core/download/help-wanted.ts';
import type { Resolver } from '../../core/download/host-addresses.ts';
import { SWEEP_INTERVAL_MS, TICKET_VISIBILITY_MS } from '../../core/model/limits.ts';
import type { PlanningService, Service } from '../../core/batch/service.ts';
import type { Outcome } from '../../core/model/outcome.ts';
import type { ObjectStore } from '../../core/ports/object-store.ts';
import type { Delivery } from '../../core/ports/tickets.ts';
import { runTurn } from '../../core/turn/turn.ts';
import { createService, submit, type TestService } from '../unit/batch/service.ts';
import { allIsSaid, watchClientSockets } from './client-sockets.ts';
import { everyNameIsLocal } from './download.ts';
import type { ManualClock } from './manual-clock.ts';
import { createMemoryStore, type MemoryStore, type MemoryStoreOptions } from './memory-store.ts';
import { startOrigin, type Answer, type Origin, type OriginOptions } from './origin.ts';
import { until } from './until.ts';

const MIB = 1024 ** 2;
/** How long a worker may take for a turn: Lambda's limit. */
const INVOCATION_MS = 15 * 60 * 1000;
/** How often a host looks for tickets that are overdue. */
const POLL_MS = 5000;
/** What one event sets off is over within so many turns of the event loop. */
const SETTLED_TURNS = 5;
/** In what a test's batches send and ask for; nowhere else. */
export const SECRET = 's3cret';

export interface BatchRigOptions {
  budgetBytes?: number;
  leastPartBytes?: number;
  splitBytes?: number;
  help?: HelpSettings;
  allowedNetworks?: string[];
  resolve?: Resolver;
  /** Of the store in memory; may wait on the clock. */
  store?: (clock: ManualClock) => MemoryStoreOptions;
  /** Another store instead, whose calls end by themselves; its own connections are closed by `close`. */
  files?: ObjectStore & { close?: () => void };
  /** What ports do instead to who submits, to who receives tickets, to a worker; each may fail of it. */
  faulty?: (service: PlanningService, to: 'submitter' | 'receiver' | 'worker') => Partial<Service>;
  /** Some ports answer no attempt to connect, or say nothing: that they are waited for is no reason for time to stand still. */
  deaf?: boolean;
}

/** How a batch ended, as its user sees it. */
export interface BatchEnd {
  status: BatchStatus;
  /** By index. */
  outcomes: Outcome[];
}

export interface BatchRig {
  readonly clock: ManualClock;
  /** Where the driven clock began. */
  readonly startedAt: number;
  readonly store: MemoryStore;
  readonly budget: ByteBudget;
  readonly service: TestService & { state: MemoryStore };
  /** Names that were looked up, one by one. */
  readonly lookUps: readonly string[];
  /** What helpers were asked for, one by one. */
  readonly helped: readonly PartsJob[];
  /** An origin on the rig's clock. */
  startOrigin: (answers: Readonly<Record<string, Answer>>, options?: OriginOptions) => Promise<Origin>;
  /**
   * Submits a batch, works it to its end, moving time on whenever nothing but time can, and makes sure that nothing is
   * left of it: no socket on either side, no timer, no memory, no upload, no secret.
   */
  run: (entries: readonly unknown[], options?: UserOptions) => Promise<BatchEnd>;
  /** Works the tickets that are visible now; answers how many. */
  deliver: () => Promise<number>;
  /** What is stored for an outcome. */
  stored: (outcome: Outcome | undefined) => Buffer | undefined;
}

/** The core as a worker runs it, over real sockets, with a driven clock. */
export async function createBatchRig(options: BatchRigOptions = {}): Promise<BatchRig> {
  const sockets = watchClientSockets();
  const origins: Origin[] = [];
  const lookUps: string[] = [];
  // In memory, so that whatever the core does by itself is over with the turn of the event loop.
  const own = await createService();
  const { clock } = own;
  const store = createMemoryStore(options.store?.(clock));
  const files = options.files && countCalls(options.files);
  const service = { ...own, state: createMemoryStore(), files: { ...own.files, ...(files?.store ?? store) } };
  const budget = createByteBudget(options.budgetBytes ?? 32 * MIB);
  const downloader = createDownloader({
    files: files?.store ?? store,
    clock,
    budget,
    resolve: (name) => {
      lookUps.push(name);
      return (options.resolve ?? everyNameIsLocal)(name);
    },
    allowedNetworks: parseNetworks(options.allowedNetworks ?? ['127.0.0.0/8', '::1/128']),
    ...(options.leastPartBytes !== undefined && { leastPartBytes: options.leastPartBytes }),
    ...(options.splitBytes !== undefined && { splitBytes: options.splitBytes }),
    help: options.help,
  });
  onTestFinished(() => downloader.close());

  const helped: PartsJob[] = [];
  let underWay = 0;
  const download: Download = async (job) => {
    underWay += 1;
    try {
      return await downloader.download(job);
    } finally {
      underWay -= 1;
    }
  };

  const fetchParts: FetchParts = async (job) => {
    underWay += 1;
    helped.push(job);
    try {
      await downloader.fetchParts(job);
    } finally {
      underWay -= 1;
    }
  };

  const faulty = (to: 'submitter' | 'receiver' | 'worker'): PlanningService => ({
    ...service,
    ...options.faulty?.(service, to),
  });
  /** A host survives what its ports do to it: the ticket comes back by itself. */
  const unlessFaulty =
    <T>(instead: T) =>
    (error: unknown): T => {
      if (!options.faulty) throw error;
      return instead;
    };

  /** Whether nothing more happens unless time moves on. */
  function isStill(): boolean {
    if (underWay === 0) return true;
    return (
      (files?.underWay() ?? 0) === 0 &&
      origins.every(({ atRest }) => atRest) &&
      allIsSaid(sockets, origins, options.deaf)
    );
  }

  /** Runs turns, and those of helpers that they ask for, until they are over. */
  async function work(deliveries: readonly Delivery[]): Promise<void> {
    const turns: Promise<void>[] = [];
    let left = 0;
    const begin = (delivery: Delivery) => {
      const bounds = { deadline: clock.now() + INVOCATION_MS, stop: new AbortController().signal };
      left += 1;
      const turn = takeTurn(delivery, bounds).finally(() => (left -= 1));
      turn.catch(() => undefined); // told below
      turns.push(turn);
    };
    deliveries.forEach(begin);
    for (let still = 0; left > 0;) {
      await setImmediate();
      still = isStill() ? still + 1 : 0;
      if (still < SETTLED_TURNS) continue;
      still = 0;
      const more = await faulty('receiver').tickets.receive(10, TICKET_VISIBILITY_MS);
      if (more.length > 0) more.forEach(begin);
      else await clock.advanceTo(clock.nextDue() ?? clock.now());
    }
    await Promise.all(turns);
  }

  async function takeTurn(delivery: Delivery, bounds: { deadline: number; stop: AbortSignal }): Promise<void> {
    const end = await runTurn({ ...faulty('worker'), download, fetchParts }, delivery, bounds).catch(
      unlessFaulty('keep' as const),
    );
    if (end === 'acknowledge') await service.tickets.acknowledge(delivery.receipt);
  }

  /** Works the tickets that are visible; answers how many. */
  async function deliver(): Promise<number> {
    const deliveries = await faulty('receiver').tickets.receive(10, TICKET_VISIBILITY_MS);
    await work(deliveries);
    return deliveries.length;
  }

  async function finish(batchId: string): Promise<void> {
    for (;;) {
      const received = await deliver();
      const read = await service.ledger.readBatch(batchId);
      const isOpen = (await service.ledger.listOpen()).includes(batchId);
      if (read?.batch.closedAt !== undefined && !isOpen) return;
      if (received > 0) continue;
      const open = read?.shards.filter((shard) => shard.finishedAt === undefined) ?? [];
      const wakeAt = Math.min(...open.map((shard) => shard.wakeAt));
      const wait = wakeAt > clock.now() ? wakeAt - clock.now() : POLL_MS;
      await clock.advance(Math.min(wait, SWEEP_INTERVAL_MS));
      await sweep(service);
    }
  }

  async function run(entries: readonly unknown[], userOptions: UserOptions = {}): Promise<BatchEnd> {
    const headers = { authorization: `Bearer ${SECRET}` };
    const submitted = await submit(faulty('submitter'), entries, { options: userOptions, headers }).catch(
      unlessFaulty(undefined),
    );
    const batchId = submitted ?? (await service.ledger.listOpen())[0] ?? '';
    await finish(batchId);
    const status = await batchStatus(service, batchId);
    const { files: outcomes } = await listOutcomes(service, batchId, { limit: 10_000 });
    await expectNothingLeft({ status, outcomes });
    return { status, outcomes: outcomes.sort((a, b) => a.index - b.index) };
  }

  async function expectNothingLeft({ status, outcomes }: BatchEnd): Promise<void> {
    const { state, total, done, failed, skipped, pending } = status;
    expect({ state, pending, ended: done + failed + skipped }).toEqual({ state: 'finished', pending: 0, ended: total });
    expect(outcomes).toHaveLength(total);
    const told = [
      outcomes.map(({ message }) => message),
      service.warned,
      [...store.objects.values()].map(({ metadata }) => metadata),
    ];
    expect(JSON.stringify([told, await service.ledger.readBatch(status.id)])).not.toContain(SECRET);
    expect(JSON.stringify([...service.state.objects.keys()])).not.toContain('secrets/');
    await downloader.close();
    options.files?.close?.();
    await until(() => sockets.every((socket) => socket.destroyed));
    await until(() => origins.every(({ openConnections }) => openConnections === 0));
    const { reservedBytes: reserved, waiting } = budget;
    expect({ underWay, timers: clock.pending(), uploads: store.openUploads, reserved, waiting }).toEqual({
      underWay: 0,
      timers: 0,
      uploads: 0,
      reserved: 0,
      waiting: 0,
    });
  }

  return {
    clock,
    startedAt: clock.now(),
    store,
    budget,
    service,
    lookUps,
    helped,
    run,
    deliver,
    async startOrigin(answers, originOptions) {
      const origin = await startOrigin(answers, { clock, ...originOptions });
      origins.push(origin);
      return origin;
    },
    stored: (outcome) =>
      [...store.objects].find(([key]) => outcome !== undefined && key.endsWith(`/${outcome.key}`))?.[1].body,
  };
}

/** Counts the calls to a store that are under way. */
function countCalls(store: ObjectStore): { store: ObjectStore; underWay: () => number } {
  let underWay = 0;
  const counted = new Proxy(store, {
    get: (target, property, receiver) => {
      const method: unknown = Reflect.get(target, property, receiver);
      if (typeof method !== 'function' || property === 'list') return method;
      return async (...parameters: unknown[]) => {
        underWay += 1;
        try {
          return await (Reflect.apply(method, target, parameters) as Promise<unknown>);
        } finally {
          underWay -= 1;
        }
      };
    },
  });
  return { store: counted, underWay: () => underWay };
}
