import { setImmediate } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { createFileStore } from '../../../adapters/files/file-store.ts';
import { createSqliteLedger } from '../../../adapters/sqlite/ledger.ts';
import { createSqliteTickets } from '../../../adapters/sqlite/tickets.ts';
import type { DeploymentLimits, PlanningService, Service, Summary } from '../../../core/batch/service.ts';
import { submitBatch, type Submission } from '../../../core/batch/submit.ts';
import type { ListItem } from '../../../core/lists/item.ts';
import type { FileLinks } from '../../../core/ports/file-links.ts';
import type { ObjectStore } from '../../../core/ports/object-store.ts';
import type { Ticket } from '../../../core/ports/tickets.ts';
import { createManualClock, type ManualClock } from '../../helpers/manual-clock.ts';
import { tempFolder } from '../../helpers/temp-folder.ts';

export const LIMITS: DeploymentLimits = {
  maxShards: 4,
  minEntriesPerShard: 2,
  connectionsPerShard: 4,
  connectionsPerMixedShard: 64,
  maxConnectionsPerHost: 64,
  maxTurns: 8,
};

export interface TestService extends PlanningService {
  clock: ManualClock;
  /** Links to it lead nowhere. */
  files: ObjectStore & FileLinks;
  announced: Summary[];
  warned: { message: string; details: Record<string, unknown> }[];
  /** Batches that a planner was started for, in order. */
  plannersStarted: string[];
}

/** A service over real stores in a fresh folder, with a driven clock. */
export async function createService(limits: Partial<DeploymentLimits> = {}): Promise<TestService> {
  const folder = await tempFolder();
  const clock = createManualClock();
  const ledger = createSqliteLedger(`${folder}/ledger.sqlite`);
  const tickets = createSqliteTickets(`${folder}/tickets.sqlite`, clock);
  onTestFinished(() => {
    ledger.close();
    tickets.close();
  });
  const announced: Summary[] = [];
  const warned: TestService['warned'] = [];
  const plannersStarted: string[] = [];
  return {
    ledger,
    tickets,
    state: createFileStore({ root: `${folder}/state`, tempRoot: `${folder}/temp`, metadataRoot: `${folder}/headers` }),
    files: {
      ...createFileStore({ root: `${folder}/files`, tempRoot: `${folder}/parts`, metadataRoot: `${folder}/sides` }),
      link: (key) => Promise.resolve(`/files/${key}`),
    },
    clock,
    random: randomFrom(1),
    limits: { ...LIMITS, ...limits },
    announce: (summary) => {
      announced.push(summary);
      return Promise.resolve();
    },
    warn: (message, details) => void warned.push({ message, details }),
    startPlanner: (batchId) => {
      plannersStarted.push(batchId);
      return Promise.resolve();
    },
    announced,
    warned,
    plannersStarted,
  };
}

/** A xorshift generator: the same numbers at every run. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** The URLs as the lines of a list. */
export function itemsOf(values: readonly unknown[]): ListItem[] {
  return values.map((value, i) => ({ line: i + 1, value }));
}

/** `count` URLs of one host. */
export function urlsOf(count: number, host = 'a.example'): string[] {
  return Array.from({ length: count }, (_, i) => `https://${host}/${i}.jpg`);
}

export function submit(service: Service, urls: readonly unknown[], more: Partial<Submission> = {}): Promise<string> {
  return submitBatch(service, { items: itemsOf(urls), options: {}, headers: {}, ...more });
}

/** Every key of the state store. */
export async function objectsOf({ state }: Pick<Service, 'state'>): Promise<string[]> {
  return Array.fromAsync(state.list(''));
}

/** Takes all visible tickets out of the queue. */
export async function takeTickets({ tickets }: Pick<Service, 'tickets'>): Promise<Ticket[]> {
  const taken: Ticket[] = [];
  for (;;) {
    const deliveries = await tickets.receive(100, 1000);
    if (deliveries.length === 0) return taken.sort((a, b) => a.shard - b.shard);
    for (const { ticket, receipt } of deliveries) {
      taken.push(ticket);
      await tickets.acknowledge(receipt);
    }
  }
}

/** A process that died of what it was made to die of. */
export class Death extends Error {}

export interface Doomed {
  service: PlanningService;
  /** Calls that were begun before the death. */
  readonly calls: readonly string[];
  readonly died: boolean;
}

/**
 * The service as a process sees it that dies with its n-th call (from 1) to a port: `before` the call has an effect,
 * or `after` it had one and nobody learned of it. No later call has an effect, and none is answered.
 */
export function dyingAt(service: PlanningService, at: number, when: 'before' | 'after'): Doomed {
  const calls: string[] = [];
  let died = false;

  const call = async <T>(name: string, effect: () => Promise<T>): Promise<T> => {
    if (died) throw new Death();
    calls.push(name);
    if (calls.length < at) return effect();
    died = true;
    if (when === 'after') await effect();
    // What else the process had begun gets no further.
    await setImmediate();
    throw new Death();
  };

  const wrap = <T extends object>(name: string, port: T): T =>
    new Proxy(port, {
      get: (target, property, receiver) => {
        const method: unknown = Reflect.get(target, property, receiver);
        if (typeof method !== 'function') return method;
        if (property === 'list') {
          return async function* (...parameters: unknown[]) {
            const keys = await call(nameOf(name, property, parameters), () =>
              Array.fromAsync(Reflect.apply(method, target, parameters) as AsyncIterable<string>),
            );
            yield* keys;
          };
        }
        return (...parameters: unknown[]) =>
          call(nameOf(name, property, parameters), () => Reflect.apply(method, target, parameters) as Promise<unknown>);
      },
    });

  return {
    service: {
      ...service,
      ledger: wrap('ledger', service.ledger),
      tickets: wrap('tickets', service.tickets),
      state: wrap('state', service.state),
      files: wrap('files', service.files),
      announce: (summary) => call('announce', () => service.announce(summary)),
      startPlanner: (batchId) => call('startPlanner', () => service.startPlanner(batchId)),
    },
    calls,
    get died() {
      return died;
    },
  };
}

/** A call as tests speak of it, with the object's key if it has one. */
function nameOf(port: string, method: string | symbol, [key]: unknown[]): string {
  return [`${port}.${String(method)}`, ...(port === 'state' ? [String(key)] : [])].join(' ');
}

/**
 * Tries every way in which a process can die while it does something: at its first call, at its second, …, before and
 * after the call's effect, until it gets to its end. Each try starts from scratch.
 */
export async function forEachDeath(
  attempt: (die: (service: PlanningService) => Doomed) => Promise<void>,
): Promise<void> {
  for (let at = 1; ; at++) {
    for (const when of ['before', 'after'] as const) {
      let doomed: Doomed | undefined;
      await attempt((service) => (doomed = dyingAt(service, at, when)));
      if (doomed?.died !== true) return;
    }
  }
}

/** Waits for a process to come to its end or to die. */
export async function untilDead(process: Promise<unknown>): Promise<void> {
  await process.catch((error: unknown) => {
    if (!(error instanceof Death)) throw error;
  });
}
