import { createObjectWriter } from '../download/object-writer.ts';
import { hostIndexKey, manifestKey, planKey } from '../model/layout.ts';
import type { BatchOptions } from '../model/options.ts';
import type { EntryTable } from '../plan/entry-table.ts';
import { encodeHostIndex } from '../plan/host-index.ts';
import { writeManifest } from '../plan/manifest.ts';
import { plan, type ShardPlan } from '../plan/plan.ts';
import type { Plan, PlannedShard } from './planning.ts';
import type { Service } from './service.ts';
import { topHosts } from './shared-hosts.ts';

/**
 * Plans a batch's entries and writes what its workers need: manifest, host index, and, once these are there, the plan.
 * The same entries give the same objects, whoever writes them and however often.
 *
 * @param step called now and then; what it throws ends the writing
 */
export async function writePlan(
  service: Pick<Service, 'state' | 'limits'>,
  batchId: string,
  options: BatchOptions,
  table: EntryTable,
  step: () => Promise<void> = () => Promise.resolve(),
): Promise<Plan> {
  const { state, limits } = service;
  const hosts = [...table.hosts];
  const shards = plan(hosts, { ...limits, connectionsPerHost: options.connectionsPerHost });
  const planned: Plan = {
    total: table.total,
    duplicates: table.duplicates,
    hostCount: table.hostCount,
    topHosts: topHosts(hosts),
    shards: await persistManifest(service, batchId, shards, table, step),
  };
  if (shards.length > 1) await state.put(hostIndexKey(batchId), encodeHostIndex(placesOf(shards), table.hostCount));
  await state.put(planKey(batchId), Buffer.from(JSON.stringify(planned)));
  return planned;
}

/** Each host once, with the first shard that works it; a host's shards follow each other. */
function* placesOf(shards: readonly ShardPlan[]): Generator<{ host: string; shard: number }> {
  let last: string | undefined;
  for (const [shard, { segments }] of shards.entries()) {
    for (const { host } of segments) {
      if (host !== last) yield { host, shard };
      last = host;
    }
  }
}

async function persistManifest(
  { state }: Pick<Service, 'state'>,
  batchId: string,
  shards: readonly ShardPlan[],
  table: EntryTable,
  step: () => Promise<void>,
): Promise<PlannedShard[]> {
  await using writer = createObjectWriter(state, manifestKey(batchId), { contentType: 'application/x-ndjson' });
  const ranges = await writeManifest(
    async (lines) => {
      await step();
      await writer.write(lines);
    },
    shards,
    table,
  );
  await writer.finish();
  return shards.map(({ segments, entries, connections, connectionsPerHost }, shard) => {
    const { from, to } = ranges[shard] ?? { from: 0, to: 0 };
    return { shard, from, to, total: entries, hosts: segments.length, connections, connectionsPerHost };
  });
}
