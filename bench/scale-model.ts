import { costOf, type Cost } from '../core/cost/cost.ts';
import { ASSUMED } from '../core/cost/estimate.ts';
import { AWS_PRICES } from '../core/cost/prices.ts';
import { usageOf, type Work } from '../core/cost/usage.ts';
import { partBytesFor, SINGLE_PUT_BYTES } from '../core/download/object-writer.ts';
import { CHECKPOINT_MS, TURN_TAIL_MS, WORKER_MB } from '../core/model/limits.ts';
import { plan, type PlanLimits, type ShardPlan } from '../core/plan/plan.ts';

/** What is modelled; docs/scale.md says what is not. */
export interface World {
  hosts: number;
  filesPerHost: number;
  fileBytes: number;
  limits: PlanLimits;
  /** Workers at once that the deployment allows. */
  maxConcurrency: number;
}

/** AWS's own limits, from its documentation of November 2026, and what is assumed where it has none. */
export const PLATFORM = {
  /** Concurrent invocations by a queue's event source: at once, more per minute, at the most. */
  firstPollers: 5,
  pollersPerMinute: 300,
  maxPollers: 1250,
  /** Writes that one partition of a bucket takes, per second. */
  putsPerSecond: 3500,
  /** After so long S3 has split a busy partition in two; AWS says 30 to 60 minutes. */
  splitSeconds: 30 * 60,
  /** The time limit of a worker. */
  turnSeconds: 15 * 60,
  /** CPU of one vCPU for a file, in seconds: its GET, digest and signed PUT, twice what was measured. */
  cpuSecondsPerFile: 0.0025,
  /** Of a worker that was not there before; it is paid for. */
  coldStartSeconds: 0.5,
};

export interface Forecast {
  shards: number;
  turns: number;
  seconds: number;
  cost: Cost;
  /** Of the requests that store the files, and nothing else. */
  putDollars: number;
  /** What the rest costs, in parts of `putDollars`. */
  overhead: { lambda: number; results: number; otherS3: number; dynamodb: number; sqs: number; total: number };
  /** The time by each limit if it were the only one. */
  floors: { sources: number; workers: number; s3: number };
  /** The name of the slowest of them. */
  slowest: keyof Forecast['floors'];
}

/** Requests that store one file. */
export function putsOf(fileBytes: number): number {
  if (fileBytes <= SINGLE_PUT_BYTES) return 1;
  return Math.ceil(fileBytes / partBytesFor(fileBytes)) + 2;
}

/** Seconds for which a file has one connection of its source: until its body is there. */
export function connectionSeconds({ fileBytes }: World): number {
  return ASSUMED.responseMs / 1000 + fileBytes / ASSUMED.bytesPerSecond;
}

/** Files per second that a shard's turn stores: by its connections, its hosts' connections, its network and its CPU. */
export function shardRate({ segments, connections, connectionsPerHost }: ShardPlan, world: World): number {
  const open = segments.reduce((sum, { entries }) => sum + Math.min(entries, connectionsPerHost), 0);
  return Math.min(
    Math.min(connections, open) / connectionSeconds(world),
    ASSUMED.workerBytesPerSecond / world.fileBytes,
    1 / PLATFORM.cpuSecondsPerFile,
  );
}

/** Workers that there can be after so many seconds. */
export function workersAt(seconds: number, maxConcurrency: number): number {
  const polled = PLATFORM.firstPollers + Math.floor((PLATFORM.pollersPerMinute * seconds) / 60);
  return Math.min(polled, PLATFORM.maxPollers, maxConcurrency);
}

/** Writes per second that S3 takes after so many seconds under one prefix. */
export function putsAt(seconds: number): number {
  return PLATFORM.putsPerSecond * 2 ** Math.floor(seconds / PLATFORM.splitSeconds);
}

interface Turn {
  left: number;
  rate: number;
  until: number;
}

/** Plays a batch, second by second: who works, how much each stores, and when a turn gives its shard up for another. */
export function forecast(world: World): Forecast {
  const { hosts, filesPerHost, fileBytes, limits, maxConcurrency } = world;
  const files = hosts * filesPerHost;
  const shards = plan(
    Array.from({ length: hosts }, (_, i) => ({ host: `https://${i}.example`, entries: filesPerHost })),
    limits,
  );
  const puts = putsOf(fileBytes);
  const workSeconds = PLATFORM.turnSeconds - TURN_TAIL_MS / 1000;
  const queue: Turn[] = shards.map((shard) => ({ left: shard.entries, rate: shardRate(shard, world), until: 0 }));
  let working: Turn[] = [];
  let [seconds, worked, turns, coldStarts, checkpoints] = [0, 0, 0, 0, 0];

  while (queue.length > 0 || working.length > 0) {
    while (queue.length > 0 && working.length < workersAt(seconds, maxConcurrency)) {
      const turn = queue.shift();
      if (!turn) break;
      turn.until = seconds + workSeconds;
      working.push(turn);
      turns += 1;
      coldStarts = Math.max(coldStarts, working.length);
    }
    const wanted = working.reduce((sum, { rate, left }) => sum + Math.min(rate, left) * puts, 0);
    const share = Math.min(1, putsAt(seconds) / wanted);
    for (const turn of working) {
      // The last second of a shard is a part of one.
      const step = Math.min(1, turn.left / (turn.rate * share));
      turn.left -= turn.rate * share * step;
      worked += step;
    }
    seconds += 1;
    const [left, done] = [working.filter(({ left }) => left > 1e-6), working.filter(({ left }) => left <= 1e-6)];
    working = left.filter(({ until }) => until > seconds);
    queue.push(...left.filter(({ until }) => until <= seconds));
    checkpoints += done.length + (left.length - working.length);
  }
  checkpoints += Math.ceil((worked * 1000) / CHECKPOINT_MS);

  const work: Work = {
    shards: shards.length,
    turns,
    workedMs: worked * 1000,
    checkpoints,
    results: checkpoints,
    // Counted here as the requests that they are.
    files: files * puts,
    bytes: 0,
    lookedUp: 0,
    manifestBytes: files * MANIFEST_LINE_BYTES,
  };
  const usage = usageOf(work, WORKER_MB);
  const started = usageOf(
    { ...work, workedMs: work.workedMs + coldStarts * PLATFORM.coldStartSeconds * 1000 },
    WORKER_MB,
  );
  const cost = costOf({ ...usage, gbSeconds: started.gbSeconds }, AWS_PRICES);
  const putDollars = files * puts * AWS_PRICES.s3Write;
  const results = 2 * work.results * AWS_PRICES.s3Write;
  const parts = {
    lambda: cost.parts.lambda / putDollars,
    results: results / putDollars,
    otherS3: (cost.parts.s3 - putDollars - results) / putDollars,
    dynamodb: cost.parts.dynamodb / putDollars,
    sqs: cost.parts.sqs / putDollars,
  };
  const floors = floorsOf(world);
  const slowest = (Object.keys(floors) as (keyof typeof floors)[]).reduce((a, b) => (floors[b] > floors[a] ? b : a));
  return {
    shards: shards.length,
    turns,
    seconds,
    cost,
    putDollars,
    overhead: { ...parts, total: (cost.dollars - putDollars) / putDollars },
    floors,
    slowest,
  };
}

/** Bytes of a manifest's line: an index and a URL of middling length. */
const MANIFEST_LINE_BYTES = 100;

/** How long a batch would take at the least by one limit alone. */
function floorsOf(world: World): Forecast['floors'] {
  const { hosts, filesPerHost, fileBytes, limits, maxConcurrency } = world;
  const files = hosts * filesPerHost;
  const connections = Math.min(filesPerHost, limits.connectionsPerHost);
  const perWorker = Math.min(ASSUMED.workerBytesPerSecond / fileBytes, 1 / PLATFORM.cpuSecondsPerFile);
  let [stored, s3] = [0, 0];
  for (; stored < files * putsOf(fileBytes); s3++) stored += putsAt(s3);
  return {
    sources: (filesPerHost * connectionSeconds(world)) / connections,
    workers: files / perWorker / maxConcurrency,
    s3,
  };
}
