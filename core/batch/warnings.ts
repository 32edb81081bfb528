import { pendingOf, type BatchRecord, type ShardProgress } from '../model/records.ts';

/** A limit is worth a word if it makes a batch last so much longer. */
const LONG_SECONDS = 10 * 60;

/**
 * What a user should know of a batch that is not over, in words: limits of its own options that bind, and hosts that it
 * shares with another batch.
 *
 * @param filesPerSecond the batch's speed over the last minute
 */
export function warningsOf(batch: BatchRecord, shards: readonly ShardProgress[], filesPerSecond: number): string[] {
  if (batch.closedAt !== undefined) return [];
  const warnings = Object.entries(batch.sharedHosts ?? {}).map(
    ([host, other]) => `Batch ${other} was working ${host} when this one began: their requests to it add up.`,
  );
  if (batch.state === 'running') {
    const limit = rateWarning(batch, shards) ?? connectionsWarning(batch, shards, filesPerSecond);
    if (limit !== undefined) warnings.push(limit);
  }
  return warnings;
}

/** Shards of one host alone: what is left of them is done at the pace of their share of the host, and no faster. */
function ofOneHost(shards: readonly ShardProgress[]): ShardProgress[] {
  return shards.filter((shard) => shard.hosts === 1 && pendingOf(shard) > shard.connections);
}

function rateWarning({ options }: BatchRecord, shards: readonly ShardProgress[]): string | undefined {
  const { requestsPerSecondPerHost: perHost, connectionsPerHost } = options;
  if (perHost === undefined) return undefined;
  const seconds = Math.max(
    0,
    ...ofOneHost(shards).map((shard) => (pendingOf(shard) * connectionsPerHost) / (perHost * shard.connections)),
  );
  if (seconds < LONG_SECONDS) return undefined;
  return `requestsPerSecondPerHost (${perHost}) binds: the largest host alone takes ${duration(seconds)} more.`;
}

function connectionsWarning(
  { options, total }: BatchRecord,
  shards: readonly ShardProgress[],
  filesPerSecond: number,
): string | undefined {
  const bound = ofOneHost(shards).reduce((sum, shard) => sum + pendingOf(shard), 0);
  const pending = shards.reduce((sum, shard) => sum + pendingOf(shard), 0);
  const seconds = filesPerSecond > 0 ? pending / filesPerSecond : 0;
  if (2 * bound < pending || seconds < LONG_SECONDS) return undefined;
  return (
    `connectionsPerHost (${options.connectionsPerHost}) binds: ${bound} of the ${pending} pending entries (of ${total}) ` +
    'are of hosts to which no more requests may be open. Allow more only if the hosts can bear it.'
  );
}

/** `90 minutes`, `26 hours`: in the larger unit as soon as there are two of it. */
function duration(seconds: number): string {
  const [unit, name] = seconds < 2 * 3600 ? ([60, 'minutes'] as const) : ([3600, 'hours'] as const);
  return `${Math.ceil(seconds / unit)} ${name}`;
}
