import type { BatchRecord, ShardRecord } from '../model/records.ts';
import { findHost } from '../plan/host-index.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import type { Host, Hosts } from './hosts.ts';

/** A redirect leads into a host that another shard works: not now. */
export class LeadsAbroad extends Error {
  constructor() {
    super('The redirect leads into a host of another shard.');
    this.name = 'LeadsAbroad';
  }
}

/**
 * Finds what a shard may have of the host that a redirect leads to: of its own hosts what was planned; of one that
 * nobody planned an even share; of another shard's nothing, until no shard works what was planned for it.
 *
 * @returns a function that throws `LeadsAbroad`
 */
export function createRedirectTarget(deps: {
  state: Pick<ObjectStore, 'get'>;
  batch: BatchRecord;
  shard: ShardRecord;
  hosts: Hosts;
  /** Connections to any host whatever, once the planned work is over. */
  allowance: number | undefined;
}): (name: string) => Promise<Host> {
  const { state, batch, shard, hosts, allowance } = deps;
  const { connectionsPerHost } = batch.options;
  return async (name) => {
    if (allowance !== undefined) return hosts.getGuest(name, allowance, allowance / connectionsPerHost);
    if (hosts.isOwn(name)) return hosts.get(name, shard.connectionsPerHost);
    const owner = batch.shardCount === 1 ? undefined : await findHost(state, batch.id, batch.hostCount, name);
    if (owner === shard.shard) return hosts.get(name, shard.connectionsPerHost);
    if (owner !== undefined) throw new LeadsAbroad();
    // Nobody planned for it; where there are more shards than connections, the later ones have none.
    if (shard.shard >= connectionsPerHost) throw new LeadsAbroad();
    const max = Math.max(1, Math.floor(connectionsPerHost / batch.shardCount));
    return hosts.getGuest(name, max, 1 / Math.min(batch.shardCount, connectionsPerHost));
  };
}
