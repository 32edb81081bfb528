import { TooManyBatchesError } from '../model/errors.ts';
import { secretsKey } from '../model/layout.ts';
import type { BatchRecord, PinnedList } from '../model/records.ts';
import { collectEntries, type Items } from '../plan/collect.ts';
import { newId } from './ids.ts';
import { pinList, type ListChoice } from './lists.ts';
import { resolveOptions, type UserOptions } from './options.ts';
import { startPlanned } from './planning.ts';
import type { PlanningService, Service } from './service.ts';
import { findSharedHosts } from './shared-hosts.ts';
import { writePlan } from './write-plan.ts';

/** What a user asks for besides the list. */
export interface Wishes {
  /** The id that the batch gets; a new one if left out. */
  id?: string | undefined;
  /** The claim that the id was chosen with. */
  claim?: string | undefined;
  name?: string | undefined;
  options: UserOptions;
  /** Request headers of all entries, names in lower case. */
  headers: Readonly<Record<string, string>>;
}

/** A batch as a user asks for it. */
export interface Submission extends Wishes {
  items: Items;
}

/** A batch of a list that was uploaded before. */
export interface ListSubmission extends Wishes {
  list: ListChoice;
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
  const batch = await newBatch(service, submission);
  const { id, options } = batch;
  const table = await collectEntries(submission.items, options);
  const { total, duplicates, hostCount, topHosts, shards } = await writePlan(service, id, options, table);
  await service.ledger.createBatch({
    ...batch,
    total,
    duplicates,
    hostCount,
    topHosts,
    sharedHosts: await findSharedHosts(service.ledger, topHosts),
    shardCount: shards.length,
    hasSecrets: await putSecrets(service, id, submission.headers),
  });
  await startPlanned(service, id);
  return id;
}

/**
 * Begins a batch of an uploaded list.
 *
 * @returns the batch's id
 * @throws UnknownListError, InvalidOptionError, TooManyBatchesError
 */
export async function submitList(service: PlanningService, submission: ListSubmission): Promise<string> {
  const batch = await newBatch(service, submission);
  return beginPlanning(service, batch, await pinList(service, submission.list), submission.headers);
}

/**
 * Begins a batch whose list a planner reads: the batch is `planning` at first, and `rejected` if its list cannot be used.
 * A start that fails is repeated by the sweeper.
 *
 * @returns the batch's id
 */
export async function beginPlanning(
  service: PlanningService,
  batch: BatchRecord,
  list: PinnedList,
  headers: Wishes['headers'],
): Promise<string> {
  const { id } = batch;
  const hasSecrets = await putSecrets(service, id, headers);
  await service.ledger.createBatch({ ...batch, hasSecrets, list, linesPlanned: 0 });
  await service.startPlanner(id).catch((error: unknown) => {
    service.warn('a planner could not be started', { batchId: id, error: String(error) });
  });
  return id;
}

/**
 * The record of a batch whose list is yet to be read.
 *
 * @throws InvalidOptionError, TooManyBatchesError
 */
export async function newBatch(service: Service, { claim, name, ...wishes }: Wishes): Promise<BatchRecord> {
  const createdAt = service.clock.now();
  const id = wishes.id ?? newId(service);
  await checkRoom(service, id);
  const options = resolveOptions(wishes.options, id, service.limits);
  return {
    id,
    rev: 1,
    ...(name !== undefined && { name }),
    state: 'planning',
    createdAt,
    deadline: createdAt + options.deadlineSeconds * 1000,
    total: 0,
    duplicates: 0,
    shardCount: 0,
    hostCount: 0,
    options,
    hasSecrets: false,
    ...(claim !== undefined && { claim }),
  };
}

/** Sees whether another batch may be open. Batches that are submitted at the same moment do not see each other. */
async function checkRoom({ ledger, limits }: Service, id: string): Promise<void> {
  if (limits.maxOpenBatches === undefined) return;
  // One that died on the way and is taken up again may be among them.
  const others = (await ledger.listOpen()).filter((open) => open !== id);
  if (others.length >= limits.maxOpenBatches) throw new TooManyBatchesError(limits.maxOpenBatches);
}

/** Puts a batch's request headers where only its workers look; answers whether there are any. */
async function putSecrets({ state }: Service, id: string, headers: Wishes['headers']): Promise<boolean> {
  if (Object.keys(headers).length === 0) return false;
  await state.put(secretsKey(id), Buffer.from(JSON.stringify(headers)));
  return true;
}
