import { parseResultsKey, resultsPrefix } from '../model/layout.ts';
import type { Outcome } from '../model/outcome.ts';
import type { ShardRecord } from '../model/records.ts';
import type { ObjectStore } from '../ports/object-store.ts';

/** A results object that counts. */
export interface ResultsObject {
  key: string;
  seq: number;
  failed: number;
}

/**
 * The results objects of a shard with a `seq` above `after`, in order. Of each `seq` up to the record's, the one of
 * the highest epoch: what dead or stale workers wrote beside it never counted.
 */
export async function listResults(
  state: ObjectStore,
  { batchId, shard, seq: newest }: ShardRecord,
  after = 0,
): Promise<ResultsObject[]> {
  if (newest <= after) return [];
  const best = new Map<number, ResultsObject>();
  for await (const key of state.list(resultsPrefix(batchId, shard))) {
    const part = parseResultsKey(key);
    // In the order of keys the epochs of one seq rise.
    if (part && part.seq > after && part.seq <= newest) best.set(part.seq, { key, seq: part.seq, failed: part.failed });
  }
  if (best.size !== newest - after) throw new Error(`Results of shard ${shard} of batch ${batchId} are missing.`);
  return [...best.values()].sort((a, b) => a.seq - b.seq);
}

/** The outcomes of one results object. */
export async function readResults(state: ObjectStore, key: string): Promise<Outcome[]> {
  const body = await state.get(key);
  if (!body) throw new Error(`There is no results object ${key}.`);
  const lines = body.toString('utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Outcome);
}

/** A shard's outcomes in the order in which they were settled; of one state only, if given. */
export async function* readOutcomes(
  state: ObjectStore,
  shard: ShardRecord,
  only?: Outcome['state'],
): AsyncGenerator<Outcome> {
  for (const { key, failed } of await listResults(state, shard)) {
    if (only === 'failed' && failed === 0) continue;
    for (const outcome of await readResults(state, key)) {
      if (only === undefined || outcome.state === only) yield outcome;
    }
  }
}
