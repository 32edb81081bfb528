import { BatchStateError, InvalidListError, UnknownBatchError } from '../model/errors.ts';
import type { FailureCode } from '../model/failure.ts';
import { manifestKey } from '../model/layout.ts';
import type { BatchRecord, ShardRecord } from '../model/records.ts';
import type { ListItem } from '../lists/item.ts';
import { readManifest } from '../plan/manifest.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import { createIndexSet } from './index-set.ts';
import { readOutcomes } from './results.ts';
import type { Service } from './service.ts';
import { submitBatch, type Submission } from './submit.ts';

/** Bytes of the manifest read at once. */
const BLOCK_BYTES = 1024 ** 2;

/** Failed entries of a closed batch, by what names them: whoever plans reads them from there. */
export interface RetrySource {
  batchId: string;
  /** Only entries that failed with one of these; all failed ones if left out. */
  codes?: readonly FailureCode[] | undefined;
}

/**
 * Starts a batch of the failed entries of a closed one, with the same keys, prefix and options, and with their own
 * settings. The request headers of the whole batch are gone, and come from the caller; so may another name.
 *
 * @returns the new batch's id
 * @throws what `readRetry` throws; TooManyBatchesError; InvalidOptionError if an option is no longer allowed here
 */
export async function retryBatch(
  service: Service,
  source: RetrySource,
  given: Pick<Submission, 'id' | 'claim' | 'name' | 'headers'>,
): Promise<string> {
  const { batch, items } = await readRetry(service, source);
  return submitBatch(service, { name: batch.name, ...given, retryOf: batch, items, options: batch.options });
}

/**
 * A closed batch, and its failed entries as the items of a list.
 *
 * @throws UnknownBatchError; BatchStateError if the batch is not closed; InvalidListError if no entry failed so
 */
export async function readRetry(
  { ledger, state }: Pick<Service, 'ledger' | 'state'>,
  { batchId, codes }: RetrySource,
): Promise<{ batch: BatchRecord; items: AsyncIterable<ListItem> }> {
  const read = await ledger.readBatch(batchId);
  if (!read) throw new UnknownBatchError(batchId);
  const { batch, shards } = read;
  if (batch.closedAt === undefined) {
    throw new BatchStateError(`The batch is ${batch.state}; only what failed in a closed one is tried again.`);
  }
  const wanted = shards.filter(({ failures }) => failedBy(failures, codes) > 0);
  if (wanted.length === 0) {
    const how = codes === undefined ? '' : ` with ${codes.join(', ')}`;
    throw new InvalidListError(`No entry of the batch failed${how}; nothing was started.`, []);
  }
  return { batch, items: failedItems(state, wanted, codes) };
}

function failedBy(failures: ShardRecord['failures'], codes: RetrySource['codes']): number {
  const all = Object.entries(failures) as [FailureCode, number][];
  return all.reduce((sum, [code, n]) => (codes?.includes(code) === false ? sum : sum + n), 0);
}

/**
 * The failed entries as items of a list, shard after shard in the order of the manifest. An item's line is the line
 * in the list that the user once sent. In memory is a bit for each entry of a shard, and a block of its manifest.
 */
async function* failedItems(
  state: ObjectStore,
  shards: readonly ShardRecord[],
  codes: RetrySource['codes'],
): AsyncGenerator<ListItem> {
  for (const shard of shards) {
    const failed = createIndexSet();
    for await (const { index, code } of readOutcomes(state, shard, 'failed')) {
      if (codes === undefined || (code !== undefined && codes.includes(code))) failed.add(index);
    }
    const manifest = readManifest(state, manifestKey(shard.batchId), shard, BLOCK_BYTES);
    for (let line = await manifest.peek(); line !== undefined; line = await manifest.peek()) {
      const { index, invalid, ...value } = line.entry;
      // What could not be used cannot be used now.
      if (failed.has(index) && !invalid) yield { line: index, value };
      manifest.skip();
    }
  }
}
