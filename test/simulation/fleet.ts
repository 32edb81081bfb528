import type { PlanningService, Service } from '../../core/batch/service.ts';
import { submitBatch } from '../../core/batch/submit.ts';
import { sweep } from '../../core/batch/sweep.ts';
import type { UserOptions } from '../../core/batch/options.ts';
import type { Job, Stored } from '../../core/download/downloader.ts';
import { runTurn } from '../../core/turn/turn.ts';
import { Scheduler, type Actor } from './scheduler.ts';
import { Servers } from './servers.ts';

const SWEEP_MS = 60_000;
const INVOCATION_MS = 900_000;

/** How an attempt goes: what it stores, or the error it ends with; it may sleep in virtual time. */
export type Behaviour = (
  job: Job,
  sleep: (ms: number) => Promise<void>,
  store: () => Promise<Stored>,
) => Promise<Stored>;

/** One turn, and the longest time in which it had nothing under way. */
export interface TurnLog {
  worker: Actor;
  shard: number;
  idleMs: number;
}

/**
 * A fleet without faults in virtual time: as many workers as there are tickets, sources that behave as told. Time
 * passes only where something waits for it.
 */
export function createFleet(behaviour: Behaviour, limits: Partial<Service['limits']> = {}) {
  const scheduler = new Scheduler(1, false);
  const servers = new Servers(scheduler);
  const turns: TurnLog[] = [];
  let sweptAt = scheduler.now;

  function service(actor: Actor): PlanningService {
    return {
      ledger: servers.ledger(actor),
      tickets: servers.tickets(actor),
      state: servers.store(actor, servers.state),
      files: servers.store(actor, servers.files),
      clock: { now: () => scheduler.now, sleep: (ms, signal) => scheduler.sleep(actor, ms, signal) },
      random: scheduler.random,
      limits: {
        maxShards: 1000,
        minEntriesPerShard: 200,
        connectionsPerShard: 16,
        connectionsPerMixedShard: 64,
        maxConnectionsPerHost: 256,
        maxTurns: 100,
        ...limits,
      },
      startPlanner: () => Promise.reject(new Error('No list is uploaded here.')),
      announce: () => Promise.resolve(),
      warn: (message) => scheduler.log(message),
    };
  }

  /** Runs something to its end; tickets are left where they are. */
  async function run<T>(name: string, body: (service: PlanningService) => Promise<T>): Promise<T> {
    const result = Promise.withResolvers<T>();
    const actor = scheduler.spawn(name, (self) => body(service(self)).then(result.resolve, result.reject));
    while (actor.alive) await pass(false);
    return result.promise;
  }

  function takeTicket(): boolean {
    const delivery = servers.deliver(false);
    if (!delivery) return false;
    const { shard } = delivery.ticket;
    scheduler.spawn(`worker of shard ${shard}`, async (actor) => {
      const turn: TurnLog = { worker: actor, shard, idleMs: 0 };
      turns.push(turn);
      let open = 0;
      let idleSince = scheduler.now;
      const download = async (job: Job): Promise<Stored> => {
        if (open++ === 0) turn.idleMs = Math.max(turn.idleMs, scheduler.now - idleSince);
        try {
          const store = async (): Promise<Stored> => {
            await servers.store(actor, servers.files).put(job.entry.key, Buffer.from(job.entry.url));
            return { state: 'done', bytes: 1, httpStatus: 200 };
          };
          return await behaviour(job, (ms) => scheduler.sleep(actor, ms, job.signal), store);
        } finally {
          if (--open === 0) idleSince = scheduler.now;
        }
      };
      const deps = { ...service(actor), download };
      const bounds = { deadline: scheduler.now + INVOCATION_MS, stop: new AbortController().signal };
      if ((await runTurn(deps, delivery, bounds)) === 'acknowledge') await deps.tickets.acknowledge(delivery.receipt);
      turn.idleMs = Math.max(turn.idleMs, scheduler.now - idleSince);
    });
    return true;
  }

  /** Does what can be done now, or lets time pass until something can; tickets are taken if there is `work`. */
  async function pass(work = true): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if ((work && takeTicket()) || scheduler.step()) return;
    if (scheduler.now - sweptAt >= SWEEP_MS) {
      sweptAt = scheduler.now;
      scheduler.spawn('sweeper', (actor) => sweep(service(actor)));
      return;
    }
    const times = servers.queue.map((message) => message.visibleAt - scheduler.now);
    const next = Math.min(scheduler.untilNextAlarm(), SWEEP_MS, ...times);
    await scheduler.advance(Math.max(1, next), () => new Promise((resolve) => setImmediate(resolve)));
  }

  function submit(urls: string[], options: UserOptions = {}): Promise<string> {
    const items = urls.map((value, i) => ({ line: i + 1, value }));
    return run('submit', (host) => submitBatch(host, { items, options, headers: {} }));
  }

  async function finish(id: string): Promise<void> {
    while (servers.batches.get(id)?.notifiedAt === undefined) await pass();
  }

  return {
    scheduler,
    servers,
    turns,
    service,
    run,
    pass,
    submit,
    /** Submits a list and lets the fleet work until the batch is closed; answers its id. */
    async work(urls: string[], options: UserOptions = {}): Promise<string> {
      const id = await submit(urls, options);
      await finish(id);
      return id;
    },
    finish,
  };
}
