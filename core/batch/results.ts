import { StateLostError } from '../model/errors.ts';
import { parseResultsKey, resultsKey, resultsPrefix } from '../model/layout.ts';
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
 * the highest epoch: what dead or stale workers wrote beside it never counted. Who stops early reads no further.
 *
 * @throws StateLostError where one is missing
 */
export async function* listResults(
  state: ObjectStore,
  { batchId, shard, seq: newest }: ShardRecord,
  after = 0,
): AsyncGenerator<ResultsObject> {
  if (newest <= after) return;
  /** The next `seq` to be answered. */
  let next = after + 1;
  let best: ResultsObject | undefined;
  const missing = () => new StateLostError(`Results of shard ${shard} of batch ${batchId} are missing.`);
  const begin = resultsKey(batchId, shard, { seq: next, epoch: 0, failed: 0 });
  for await (const key of state.list(resultsPrefix(batchId, shard), { after: begin })) {
    const part = parseResultsKey(key);
    if (!part || part.seq < next) continue;
    // In the order of keys a seq's epochs rise: at the next seq the last one seen is the highest.
    if (best && part.seq > best.seq) {
      yield best;
      next = best.seq + 1;
      best = undefined;
    }
    if (part.seq > newest) break;
    if (part.seq !== next) throw missing();
    best = { key, seq: part.seq, failed: part.failed };
  }
  if (best) {
    yield best;
    next = best.seq + 1;
  }
  if (next !== newest + 1) throw missing();
}

/**
 * The outcomes of one results object, each as it is in there, for `parseOutcome`: who wants a page of 100 does not pay for
 * the 5,000 that are there.
 *
 * @throws StateLostError if it is not there
 */
export async function readResults(state: ObjectStore, key: string): Promise<string[]> {
  const body = await state.get(key);
  if (!body) throw new StateLostError(`There is no results object ${key}.`);
  return body
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '');
}

export function parseOutcome(line: string): Outcome {
  return JSON.parse(line) as Outcome;
}

/** A shard's outcomes in the order in which they were settled; of one state only, if given. */
export async function* readOutcomes(
  state: ObjectStore,
  shard: ShardRecord,
  only?: Outcome['state'],
): AsyncGenerator<Outcome> {
  for await (const { key, failed } of listResults(state, shard)) {
    if (only === 'failed' && failed === 0) continue;
    for (const line of await readResults(state, key)) {
      const outcome = parseOutcome(line);
      if (only === undefined || outcome.state === only) yield outcome;
    }
  }
}
