import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { onTestFinished, vi } from 'vitest';
import { createAwsStores } from '../../../adapters/aws/stores.ts';
import type { DeploymentLimits, PlanningService, Service, Summary } from '../../../core/batch/service.ts';
import { parseNetworks } from '../../../core/download/address-guard.ts';
import { createByteBudget } from '../../../core/download/byte-budget.ts';
import { createDownloader, type DownloaderDeps } from '../../../core/download/create-downloader.ts';
import { SWEEP_INTERVAL_MS } from '../../../core/model/limits.ts';
import type { StatusDocument } from '../../../http/documents.ts';
import { createApiHandler } from '../../../lambdas/api.ts';
import { createPlannerHandler } from '../../../lambdas/planner.ts';
import { createStatusHandler } from '../../../lambdas/status.ts';
import { createSweeperHandler } from '../../../lambdas/sweeper.ts';
import { createWorkerHandler } from '../../../lambdas/worker.ts';
import { createWire, type Fault, type WireCall } from '../../helpers/aws-wire.ts';
import { QUEUE_VISIBILITY_MS, startAws, type Aws } from '../../helpers/aws.ts';
import { createEventSource, type EventSourceOptions } from '../../helpers/event-source.ts';
import { httpEvent, routeOf, type HttpRequest } from '../../helpers/lambda-events.ts';
import { createTestLog } from '../../helpers/log.ts';
import { createManualClock } from '../../helpers/manual-clock.ts';
import { countRequests, countUploads, createNames, type Requests, type Uploads } from './calls.ts';
import { createChance } from './chance.ts';
import { createLife, InstanceDeath, type Life } from './instance.ts';

const MIB = 1024 ** 2;

/** Time that passes with every file that is stored by one PUT: one worker stores 200 a second. */
const MS_PER_FILE = 5;
/** Time that passes with every part of a file that is fetched in parts. */
const MS_PER_PART = 2500;
/** Turns of the event loop without anything on any socket, after which all that is left waits for time. */
const QUIET_TURNS = 30;
/** The fleet is stuck if a batch takes longer than that. */
const MAX_FLEET_MS = 24 * 60 * 60 * 1000;
/** Whose calls are those of the queue's event source; none of them goes wrong. */
export const EVENT_SOURCE = 'event source';

export interface FleetOptions {
  seed: number;
  limits?: Partial<DeploymentLimits>;
  /** From what size on files are fetched in parts, and in what parts; the deployment's if left out. */
  sizes?: Required<Pick<DownloaderDeps, 'leastPartBytes' | 'splitBytes'>> & Pick<DownloaderDeps, 'help'>;
  /** Whether nothing is on its way between sources and workers. Without it time waits for every download. */
  atRest?: () => boolean;
  /** Worker invocations at once. */
  maxConcurrency?: number;
  again?: EventSourceOptions['again'];
  /** At which of its awaits an invocation's instance dies, if it does. */
  dies?: (invocation: string) => number | undefined;
  /** Whether the instance that got this answer dies before it does anything with it. */
  diesOf?: (answered: WireCall) => boolean;
  /** What happens to an attempt on the wire; `name` tells it from every other, in all runs alike. */
  fault?: (call: WireCall, name: string) => Fault | undefined;
}

export interface Fleet {
  readonly announced: readonly Summary[];
  /** Lines that the operator would see. */
  readonly logged: readonly string[];
  /** Driven time since the start. */
  readonly elapsedMs: number;
  /** Of workers. */
  readonly invocations: number;
  readonly deaths: number;
  /** Asks the API, whichever function answers. */
  ask: (request: HttpRequest) => Promise<{ status: number; document: unknown }>;
  /** Lets the fleet work and time pass until the batch is closed. */
  finish: (batchId: string) => Promise<StatusDocument>;
  /** The same until this holds; it is asked whenever nothing is under way. */
  run: (until: () => boolean | Promise<boolean>) => Promise<void>;
  /** All calls of AWS so far, by their functions as owners; what the queue's event source asks for is its own. */
  calls: readonly WireCall[];
  aws: Pick<Aws, 'config' | 'clients' | 'invocations'>;
  uploads: () => Uploads;
  /** From now on nothing goes wrong on the wire. */
  endFaults: () => void;
  /** How many requests the workers sent to store files by one PUT each, and the others by what they ask. */
  requestsOfWorkers: () => Requests;
  /** SHA-256 of every object in the files' bucket, by key. */
  readBucket: () => Promise<Map<string, string>>;
}

interface Worker {
  name: string;
  life: Life;
  /** Under way now. */
  downloads: number;
  work: ReturnType<typeof createWorkerHandler>;
}

/**
 * The deployed service in this process: the handlers of the Lambdas, each instance with stores and clients of its own,
 * the queue's event source and the sweeper's schedule, over the emulators.
 *
 * Time is driven. It passes with every file, and jumps to the next moment that anybody waits for, be it a sleeper of
 * the code or a hidden ticket, once nothing is on any socket. fauxqs goes by it, since it asks `Date.now`. The SDK's
 * pauses between attempts pass in real time; nothing else does.
 */
export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const { seed, maxConcurrency = 8 } = options;
  const chance = createChance(seed);
  const clock = createManualClock();
  const startedAt = clock.now();
  const now = vi.spyOn(Date, 'now').mockImplementation(() => clock.now());
  onTestFinished(() => now.mockRestore());
  const aws = await startAws();
  const wire = createWire();
  const announced: Summary[] = [];
  const { log, told: logged } = createTestLog();
  const workers = new Set<Worker>();
  let sweepAt = startedAt + SWEEP_INTERVAL_MS;
  let asked = 0;
  let draws = 0;

  const limits: DeploymentLimits = {
    maxShards: 1000,
    minEntriesPerShard: 200,
    connectionsPerShard: 16,
    connectionsPerMixedShard: 64,
    maxConnectionsPerHost: 256,
    maxTurns: 100,
    ...options.limits,
  };

  /** An instance of a function: clients, stores and a clock of its own. */
  function createInstance(owner: string, life: Life) {
    const stores = createAwsStores(aws.config, wire.attach(aws.createClients(), owner));
    const { ledger, tickets, state, files, startPlanner, publish } = stores;
    const service: PlanningService = {
      startPlanner,
      ledger: life.wrap(ledger),
      tickets: life.wrap(tickets),
      state: life.wrap(state),
      files: life.wrap(files),
      clock: life.wrap<Service['clock']>(clock),
      random: () => chance(`random ${++draws}`),
      limits,
      announce: async (summary) => {
        await publish(summary);
        announced.push(summary);
      },
      warn: (message, details) => log.warn(message, details),
    };
    return { service, files: life.wrap(files) };
  }

  const api = createInstance('api', createLife());
  const status = createInstance('status', createLife());
  const handlers = {
    post: createApiHandler(api.service, log),
    get: createStatusHandler({ ...status.service, files: status.files }, log),
  };
  const planner = createPlannerHandler(createInstance('planner', createLife()).service, log);
  const sweep = createSweeperHandler(createInstance('sweeper', createLife()).service);

  function createWorker(): Worker {
    const life = createLife();
    const name = `worker ${workers.size + 1}`;
    const { service, files } = createInstance(name, life);
    const downloader = createDownloader({
      files,
      clock: service.clock,
      budget: createByteBudget(48 * MIB),
      resolve: () => Promise.reject(new Error('The sources have no names.')),
      allowedNetworks: parseNetworks(['127.0.0.0/8']),
      ...options.sizes,
    });
    onTestFinished(() => downloader.close());
    const download: typeof downloader.download = async (job) => {
      worker.downloads += 1;
      try {
        return await downloader.download(job);
      } finally {
        worker.downloads -= 1;
      }
    };
    const { fetchParts } = downloader;
    const worker = { name, life, downloads: 0, work: createWorkerHandler({ ...service, download, fetchParts }, log) };
    workers.add(worker);
    return worker;
  }

  let invocations = 0;
  let deaths = 0;
  const idle: Worker[] = [];
  const visits = new Map<string, number>();

  async function invoke(event: SQSEvent, context: Parameters<Worker['work']>[1]): Promise<SQSBatchResponse> {
    invocations += 1;
    const worker = idle.pop() ?? createWorker();
    const body = event.Records[0]?.body ?? '';
    const { shard } = JSON.parse(body) as { shard: number };
    const visit = (visits.get(body) ?? 0) + 1;
    visits.set(body, visit);
    worker.life.endAfter(options.dies?.(`shard ${shard}, visit ${visit}`) ?? Infinity);
    try {
      const answer = await Promise.race([worker.work(event, context), worker.life.death]);
      idle.push(worker);
      return answer;
    } catch (error) {
      if (error instanceof InstanceDeath) deaths += 1;
      throw error;
    }
  }

  const source = createEventSource({
    aws: { ...aws, clients: wire.attach(aws.createClients(), EVENT_SOURCE) },
    invoke,
    clock,
    maxConcurrency,
    timeoutMs: QUEUE_VISIBILITY_MS,
    ...(options.again && { again: options.again }),
    onError: (error) => {
      if (!(error instanceof InstanceDeath)) log.error('an invocation failed', error);
    },
  });

  const isFile = ({ command, input }: WireCall) => command === 'PutObject' && input.Bucket === aws.config.filesBucket;
  const nameOf = createNames();
  wire.fault = (call) => (call.owner === EVENT_SOURCE ? undefined : options.fault?.(call, nameOf(call)));
  wire.onAnswer = (call) => {
    // Without awaiting: an advance wakes sleepers, and none of them may be in the call's way.
    if (options.diesOf?.(call) === true) [...workers].find(({ name }) => name === call.owner)?.life.endAfter(1);
    // While its sender's download is under way: it asks for help.
    if (call.command === 'SendMessageBatch' && call.owner.startsWith('worker')) void source.poll();
    if (isFile(call)) void clock.advance(MS_PER_FILE);
    else if (call.command === 'UploadPart' && options.sizes) void clock.advance(MS_PER_PART);
  };

  function isQuiet(): boolean {
    const downloads = [...workers].some((worker) => !worker.life.isDead && worker.downloads > 0);
    return (!downloads || options.atRest?.() === true) && wire.underWay === 0 && !source.isBusy && asked === 0;
  }

  async function settle(): Promise<void> {
    for (let quiet = 0; quiet < QUIET_TURNS; quiet = isQuiet() ? quiet + 1 : 0) await setImmediate();
  }

  async function ask(request: HttpRequest): ReturnType<Fleet['ask']> {
    asked += 1;
    try {
      const handler = routeOf(request.method ?? 'GET') === '$default' ? handlers.get : handlers.post;
      const { statusCode, body } = await handler(httpEvent(request));
      return { status: statusCode, document: body === '' ? undefined : (JSON.parse(body) as unknown) };
    } finally {
      asked -= 1;
    }
  }

  /** The next moment at which a hidden ticket becomes visible. */
  async function nextVisible(): Promise<number> {
    const { inflight } = await aws.inspectQueue();
    const times = inflight.map(({ visibilityDeadline }) => visibilityDeadline);
    return Math.min(Infinity, ...times.filter((time) => time > clock.now()));
  }

  async function run(until: () => boolean | Promise<boolean>): Promise<void> {
    const giveUpAt = clock.now() + MAX_FLEET_MS;
    while (clock.now() < giveUpAt) {
      for (let planned = aws.invocations.shift(); planned; planned = aws.invocations.shift()) {
        await planner(planned.event).catch((error: unknown) => log.error('the planner failed', error));
      }
      await source.poll();
      await settle();
      if (clock.now() >= sweepAt) {
        sweepAt = clock.now() + SWEEP_INTERVAL_MS;
        await sweep().catch((error: unknown) => log.error('the sweeper failed', error));
        continue;
      }
      if (await until()) return;
      const next = Math.min(clock.nextDue() ?? Infinity, await nextVisible(), sweepAt);
      await clock.advanceTo(Math.max(next, clock.now()));
    }
    throw new Error(`It did not come to that:\n${logged.join('')}`);
  }

  async function finish(batchId: string): Promise<StatusDocument> {
    await run(() => announced.some(({ id }) => id === batchId) && source.invocations === 0);
    return (await ask({ path: `/batches/${batchId}` })).document as StatusDocument;
  }

  async function readBucket(): Promise<Map<string, string>> {
    const { files, close } = createAwsStores({ ...aws.config, filesPrefix: '' }, aws.createClients());
    const keys = (await Array.fromAsync(files.list(''))).values();
    const digests = new Map<string, string>();
    const lane = async () => {
      for (const key of keys) {
        const body = await files.get(key);
        digests.set(
          key,
          createHash('sha256')
            .update(body ?? 'gone')
            .digest('hex'),
        );
      }
    };
    await Promise.all(Array.from({ length: 16 }, lane));
    close();
    return digests;
  }

  return {
    announced,
    logged,
    get elapsedMs() {
      return clock.now() - startedAt;
    },
    get invocations() {
      return invocations;
    },
    get deaths() {
      return deaths;
    },
    ask,
    finish,
    run,
    calls: wire.calls,
    aws,
    uploads() {
      const dead = [...workers].filter(({ life }) => life.isDead).map(({ name }) => name);
      return countUploads(wire.calls, new Set(dead));
    },
    endFaults: () => (wire.fault = () => undefined),
    requestsOfWorkers() {
      const calls = wire.calls.filter(({ owner }) => owner.startsWith('worker'));
      return countRequests(calls, isFile);
    },
    readBucket,
  };
}
