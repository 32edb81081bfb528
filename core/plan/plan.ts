/** A source host and how many entries it has. */
export interface HostCount {
  host: string;
  entries: number;
}

/** A run of one host's entries: the next `entries` of them, in the order of the list. */
export interface Segment {
  host: string;
  entries: number;
}

export interface ShardPlan {
  segments: Segment[];
  entries: number;
  /** Requests under way at once, and how many of them to one host. */
  connections: number;
  connectionsPerHost: number;
}

export interface PlanLimits {
  /** Connections to one host, summed over all shards. */
  connectionsPerHost: number;
  /** At most so many of them in one shard, where the host has enough entries for several. */
  connectionsPerShard: number;
  /** Connections of a shard of many small hosts. */
  connectionsPerMixedShard: number;
  maxShards: number;
  /** Shards are not made smaller than this, but for want of entries: a turn has its fixed cost. */
  minEntriesPerShard: number;
}

/**
 * Deals the entries of a batch out to shards.
 *
 * - A host's entries share at most `connectionsPerHost` connections over all shards.
 * - A host with a shard's worth of entries or more has shards of its own; the others are packed, each whole.
 * - There are at most `maxShards` shards, as even as this allows.
 * - Every entry is in exactly one shard, each host's side by side and in their order.
 *
 * The same hosts in the same order give the same plan. Time and space are those of sorting the hosts.
 */
export function plan(hosts: Iterable<HostCount>, limits: PlanLimits): ShardPlan[] {
  const all = [...hosts];
  const total = all.reduce((sum, host) => sum + host.entries, 0);
  const fairShare = Math.max(limits.minEntriesPerShard, Math.ceil(total / limits.maxShards));

  const large = all.filter((host) => host.entries >= fairShare);
  const small = all.filter((host) => host.entries < fairShare);
  const own = large.flatMap((host) => splitHost(host, fairShare, limits));
  return [...own, ...packHosts(small, fairShare, limits)];
}

/** Shards of one host's own. Rounding down leaves the small hosts as many of `maxShards` as they have fair shares. */
function splitHost({ host, entries }: HostCount, fairShare: number, limits: PlanLimits): ShardPlan[] {
  const { connectionsPerHost, connectionsPerShard } = limits;
  const count = Math.min(Math.ceil(connectionsPerHost / connectionsPerShard), Math.floor(entries / fairShare));
  const connections = deal(connectionsPerHost, count);
  return deal(entries, count).map((share, i) => ({
    segments: [{ host, entries: share }],
    entries: share,
    connections: connections[i] ?? 1,
    connectionsPerHost: connections[i] ?? 1,
  }));
}

/** Packs whole hosts into shards; two of these differ by no more than the largest host. */
function packHosts(hosts: HostCount[], fairShare: number, limits: PlanLimits): ShardPlan[] {
  if (hosts.length === 0) return [];
  const useful = ({ entries }: HostCount) => Math.min(entries, limits.connectionsPerHost);
  const entries = hosts.reduce((sum, host) => sum + host.entries, 0);
  const connections = hosts.reduce((sum, host) => sum + useful(host), 0);
  const count = Math.min(
    hosts.length,
    Math.ceil(entries / fairShare),
    Math.ceil(connections / limits.connectionsPerMixedShard),
  );

  // Largest first, to and fro over the shards.
  const order = hosts.map((_, i) => i).sort((a, b) => (hosts[b]?.entries ?? 0) - (hosts[a]?.entries ?? 0) || a - b);
  const shardOf = new Uint16Array(hosts.length);
  order.forEach((host, rank) => {
    const place = rank % count;
    shardOf[host] = Math.floor(rank / count) % 2 === 0 ? place : count - 1 - place;
  });

  const shards = Array.from({ length: count }, (): ShardPlan => ({
    segments: [],
    entries: 0,
    connections: 0,
    connectionsPerHost: limits.connectionsPerHost,
  }));
  hosts.forEach((host, i) => {
    const shard = shards[shardOf[i] ?? 0];
    if (!shard) return;
    shard.segments.push(host);
    shard.entries += host.entries;
    // More than there are entries of it: a large file makes use of several.
    shard.connections = Math.min(limits.connectionsPerMixedShard, shard.connections + limits.connectionsPerHost);
  });
  return shards;
}

/** `total` in `parts` whole parts that differ by at most one. */
function deal(total: number, parts: number): number[] {
  return Array.from(
    { length: parts },
    (_, i) => Math.floor((total * (i + 1)) / parts) - Math.floor((total * i) / parts),
  );
}
