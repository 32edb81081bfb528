import { CHECKPOINT_MS } from '../model/limits.ts';
import type { BatchOptions } from '../model/options.ts';
import type { ShardPlan } from '../plan/plan.ts';
import type { Work } from './usage.ts';

/** What nobody knows of sources before they were asked. */
export const ASSUMED = {
  /** From a request to the first byte of its body. */
  responseMs: 200,
  /** Of a file whose size was not given. */
  fileBytes: 1024 ** 2,
  /** What one connection to a source brings. */
  bytesPerSecond: 4 * 1024 ** 2,
  /** What one worker's network takes; a Lambda's is about so fast. */
  workerBytesPerSecond: 75e6,
} as const;

/** About how long a deployed turn works: its 15 minutes without the last 5, in which it starts nothing. */
const TURN_MS = 10 * 60 * 1000;

export interface PlannedWork {
  shards: readonly ShardPlan[];
  /** Of one entry of a host, on average. */
  bytesPerFile: (host: string) => number;
  manifestBytes: number;
  options: BatchOptions;
  /** Turns that can be under way at once. */
  maxTurns: number;
}

/** How long a planned batch will take if its sources are as assumed and none of them fails, and what work that is. */
export function estimate(planned: PlannedWork): { seconds: number; work: Work } {
  const { shards, options, manifestBytes, maxTurns } = planned;
  const seconds = shards.map((shard) => secondsOf(shard, planned));
  const sum = (of: (seconds: number) => number) => seconds.reduce((total, seconds) => total + of(seconds), 0);
  const files = shards.reduce((total, { entries }) => total + entries, 0);
  const checkpoints = sum((seconds) => Math.ceil((seconds * 1000) / CHECKPOINT_MS) + 1);
  return {
    seconds: Math.ceil(Math.max(sum((seconds) => seconds) / maxTurns, ...seconds)),
    work: {
      shards: shards.length,
      turns: sum((seconds) => Math.max(1, Math.ceil((seconds * 1000) / TURN_MS))),
      workedMs: sum((seconds) => seconds * 1000),
      checkpoints,
      results: checkpoints,
      files,
      bytes: shards.reduce((total, shard) => total + bytesOf(shard, planned), 0),
      lookedUp: options.ownPrefix ? 0 : files,
      manifestBytes,
    },
  };
}

function bytesOf({ segments }: ShardPlan, { bytesPerFile }: PlannedWork): number {
  return segments.reduce((total, { host, entries }) => total + entries * bytesPerFile(host), 0);
}

/** A shard is as slow as its slowest host, its connections together, or its worker's network. */
function secondsOf(shard: ShardPlan, planned: PlannedWork): number {
  const { requestsPerSecondPerHost: rate, connectionsPerHost } = planned.options;
  const busy = ({ host, entries }: ShardPlan['segments'][number]) =>
    entries * (ASSUMED.responseMs / 1000 + planned.bytesPerFile(host) / ASSUMED.bytesPerSecond);
  let slowestHost = 0;
  let all = 0;
  for (const segment of shard.segments) {
    const connections = Math.min(segment.entries, shard.connectionsPerHost);
    const paced = rate === undefined ? 0 : (segment.entries * connectionsPerHost) / (rate * shard.connectionsPerHost);
    slowestHost = Math.max(slowestHost, busy(segment) / connections, paced);
    all += busy(segment);
  }
  const network = bytesOf(shard, planned) / ASSUMED.workerBytesPerSecond;
  return Math.max(slowestHost, all / shard.connections, network);
}
