import { unusable, type ListBlock } from '../lists/item.ts';
import { BatchStateError, InvalidListError, StateLostError, UnknownBatchError } from '../model/errors.ts';
import type { FailureCode } from '../model/failure.ts';
import { manifestKey } from '../model/layout.ts';
import type { Counts, FailedList, ShardRecord } from '../model/records.ts';
import { readManifest } from '../plan/manifest.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import { createIndexSet } from './index-set.ts';
import { readOutcomes } from './results.ts';
import type { PlanningService, Service } from './service.ts';
import { beginPlanning, newBatch, type Wishes } from './submit.ts';

/** Bytes of the manifest read at once. */
const BLOCK_BYTES = 1024 ** 2;
/** Lines of it between two steps. */
const LINES_PER_STEP = 1000;

/** Failed entries of a closed batch, as a user asks for them. */
export interface RetryChoice {
  batchId: string;
  /** Only entries that failed with one of these; all failed ones if left out. */
  codes?: readonly FailureCode[] | undefined;
}

/**
 * Begins a batch of the failed entries of a closed one, with the same keys, prefix and options, and with their own
 * settings. The request headers of the whole batch are gone, and come from the caller; so may another name. A planner
 * reads the entries, however many they are.
 *
 * @returns the new batch's id
 * @throws UnknownBatchError; BatchStateError if the batch is not closed; InvalidListError if no entry failed so;
 *   TooManyBatchesError; InvalidOptionError if an option is no longer allowed here
 */
export async function retryBatch(
  service: PlanningService,
  { batchId, codes }: RetryChoice,
  given: Pick<Wishes, 'id' | 'claim' | 'name' | 'headers'>,
): Promise<string> {
  const former = await service.ledger.getBatch(batchId);
  if (!former) throw new UnknownBatchError(batchId);
  if (former.closedAt === undefined) {
    throw new BatchStateError(`The batch is ${former.state}; only what failed in a closed one is tried again.`);
  }
  const met = Object.keys(former.final?.failures ?? {}) as FailureCode[];
  const wanted = codes ? met.filter((code) => codes.includes(code)) : met;
  if (wanted.length === 0) {
    const how = codes ? ` with ${codes.join(', ')}` : '';
    throw new InvalidListError(`No entry of the batch failed${how}; nothing was started.`, []);
  }
  const batch = await newBatch(service, { name: former.name, ...given, options: former.options });
  // The prefix is as much this batch's as it was the former one's.
  batch.options.ownPrefix = former.options.ownPrefix;
  return beginPlanning(service, batch, { kind: 'failed', batchId, codes: wanted }, given.headers);
}

/**
 * The failed entries as items of a list, shard after shard in the order of the manifest. An item's line is the line
 * in the list that the user once sent. In memory is a bit for each entry of a shard, and a block of its manifest.
 *
 * @param step called now and then; what it throws ends the reading
 * @throws InvalidListError if the batch, or a part of what is kept of it, is no longer there
 */
export async function* readFailed(
  { ledger, state }: Pick<Service, 'ledger' | 'state'>,
  { batchId, codes }: FailedList,
  step: () => Promise<void>,
): AsyncGenerator<ListBlock> {
  const { batch, shards = [] } = (await ledger.readBatch(batchId)) ?? {};
  const gone = (options?: ErrorOptions) => unusable(`of what failed in batch ${batchId} is no longer there`, options);
  // A deletion, or the expiry of records, takes the batch and its shards one after the other.
  const kept = shards.reduce((sum, { failures }) => sum + failedBy(failures, codes), 0);
  if (!batch || kept !== failedBy(batch.final?.failures ?? {}, codes)) throw gone();
  try {
    for (const shard of shards) if (failedBy(shard.failures, codes) > 0) yield* failedOf(state, shard, codes, step);
  } catch (error) {
    throw error instanceof StateLostError ? gone({ cause: error }) : error;
  }
}

function failedBy(failures: Counts['failures'], codes: readonly FailureCode[]): number {
  return codes.reduce((sum, code) => sum + (failures[code] ?? 0), 0);
}

async function* failedOf(
  state: ObjectStore,
  shard: ShardRecord,
  codes: readonly FailureCode[],
  step: () => Promise<void>,
): AsyncGenerator<ListBlock> {
  const failed = createIndexSet();
  for await (const { index, code } of readOutcomes(state, shard, 'failed')) {
    if (code !== undefined && codes.includes(code)) failed.add(index);
  }
  const manifest = readManifest(state, manifestKey(shard.batchId), shard, BLOCK_BYTES);
  let lines = 0;
  for (let line = await manifest.peek(); line !== undefined; line = await manifest.peek()) {
    if (++lines % LINES_PER_STEP === 0) await step();
    const { index, invalid, ...value } = line.entry;
    // What could not be used cannot be used now.
    if (failed.has(index) && !invalid) yield [{ line: index, value }];
    manifest.skip();
  }
}
