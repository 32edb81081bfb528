import { InvalidListError, MAX_LIST_PROBLEMS, TooManyBatchesError, type ListProblem } from '../model/errors.ts';
import { hostIndexKey, manifestKey, planKey, secretsKey } from '../model/layout.ts';
import type { BatchRecord } from '../model/records.ts';
import { shorten } from '../model/redact.ts';
import { checkEntry, type KeyRule } from '../plan/check-entry.ts';
import { createEntryTable, type EntryTable } from '../plan/entry-table.ts';
import { encodeHostIndex } from '../plan/host-index.ts';
import { writeManifest } from '../plan/manifest.ts';
import { plan, type ShardPlan } from '../plan/plan.ts';
import type { ListItem } from '../plan/text-list.ts';
import { createObjectWriter } from '../download/object-writer.ts';
import { newBatchId } from './ids.ts';
import { resolveOptions, type UserOptions } from './options.ts';
import { startPlanned, type PlannedShard } from './planning.ts';
import type { Service } from './service.ts';
import { findSharedHosts, topHosts } from './shared-hosts.ts';

/** A batch as a user asks for it. */
export interface Submission {
  /** The id that it gets; a new one if left out. */
  id?: string | undefined;
  /** The claim that the id was chosen with. */
  claim?: string | undefined;
  /** The batch whose failed entries these are; the prefix is as much theirs as it was that batch's. */
  retryOf?: Pick<BatchRecord, 'id' | 'options'> | undefined;
  name?: string | undefined;
  items: Iterable<ListItem> | AsyncIterable<ListItem>;
  options: UserOptions;
  /** Request headers of all entries, names in lower case. */
  headers: Readonly<Record<string, string>>;
}

/**
 * Checks a list, plans it and sets it going. Nothing is started, and nothing written, if anything is wrong with it.
 *
 * The order of writes: manifest, host index, plan, secrets; the batch's record; shard records; tickets. Whatever a
 * crash leaves is either invisible or brought on by the sweeper.
 *
 * @returns the batch's id
 * @throws InvalidListError, InvalidOptionError, TooManyBatchesError
 */
export async function submitBatch(service: Service, submission: Submission): Promise<string> {
  const { ledger, state, clock, limits } = service;
  const createdAt = clock.now();
  const id = submission.id ?? newBatchId(service);
  await checkRoom(service, id);
  const options = resolveOptions(submission.options, id, limits);
  if (submission.retryOf) options.ownPrefix = submission.retryOf.options.ownPrefix;
  const table = await collect(submission.items, options);
  const shards = plan(table.hosts, { ...limits, connectionsPerHost: options.connectionsPerHost });

  const planned = await persistManifest(service, id, shards, table);
  if (shards.length > 1) await state.put(hostIndexKey(id), encodeHostIndex(placesOf(shards), table.hostCount));
  await state.put(planKey(id), Buffer.from(JSON.stringify(planned)));
  const hasSecrets = Object.keys(submission.headers).length > 0;
  if (hasSecrets) await state.put(secretsKey(id), Buffer.from(JSON.stringify(submission.headers)));

  const top = topHosts(table.hosts);
  await ledger.createBatch({
    id,
    rev: 1,
    ...(submission.name !== undefined && { name: submission.name }),
    state: 'planning',
    createdAt,
    deadline: createdAt + options.deadlineSeconds * 1000,
    total: table.total,
    duplicates: table.duplicates,
    shardCount: shards.length,
    hostCount: table.hostCount,
    topHosts: top,
    sharedHosts: await findSharedHosts(ledger, top),
    options,
    hasSecrets,
    ...(submission.retryOf && { retryOf: submission.retryOf.id }),
    ...(submission.claim !== undefined && { claim: submission.claim }),
  });
  await startPlanned(service, id);
  return id;
}

/** Sees whether another batch may be open. Batches that are submitted at the same moment do not see each other. */
async function checkRoom({ ledger, limits }: Service, id: string): Promise<void> {
  if (limits.maxOpenBatches === undefined) return;
  // One that died on the way and is taken up again may be among them.
  const others = (await ledger.listOpen()).filter((open) => open !== id);
  if (others.length >= limits.maxOpenBatches) throw new TooManyBatchesError(limits.maxOpenBatches);
}

/**
 * The entries of a list.
 *
 * @throws InvalidListError with everything that is wrong with it
 */
export async function collect(items: Submission['items'], rule: KeyRule): Promise<EntryTable> {
  const table = createEntryTable();
  const problems: ListProblem[] = [];
  for await (const item of items) {
    const entry = checkEntry(item, rule);
    if (Array.isArray(entry)) {
      // One by one: a spread of as many as an item can have fields would overflow the stack.
      for (const problem of entry) problems.push(problem);
    } else {
      const taken = table.add(entry);
      const reason = `is also the key of line ${taken?.takenBy ?? 0}, for another URL; give one of them a key`;
      if (taken) problems.push({ line: entry.index, field: 'key', value: shorten(entry.key), reason });
    }
    if (problems.length >= MAX_LIST_PROBLEMS) break;
  }
  if (problems.length > 0) {
    throw new InvalidListError(
      'The list has entries that cannot be used; nothing was started.',
      problems.slice(0, MAX_LIST_PROBLEMS),
    );
  }
  if (table.total === 0) throw new InvalidListError('The list has no entries; nothing was started.', []);
  return table;
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
  { state }: Service,
  id: string,
  shards: readonly ShardPlan[],
  table: EntryTable,
): Promise<PlannedShard[]> {
  await using writer = createObjectWriter(state, manifestKey(id), { contentType: 'application/x-ndjson' });
  const ranges = await writeManifest((chunk) => writer.write(chunk), shards, table);
  await writer.finish();
  return shards.map(({ segments, entries, connections, connectionsPerHost }, shard) => {
    const { from, to } = ranges[shard] ?? { from: 0, to: 0 };
    return { shard, from, to, total: entries, hosts: segments.length, connections, connectionsPerHost };
  });
}
