/** Where things lie in the state store. */

const digits = (n: number, width: number) => String(n).padStart(width, '0');

/** Everything of a batch but its secrets. */
export const batchPrefix = (batchId: string) => `batches/${batchId}/`;
/** The batch's entries, one JSON line each, shard after shard. */
export const manifestKey = (batchId: string) => `batches/${batchId}/manifest.jsonl`;
/** Which shard works which host: see `host-index.ts`. */
export const hostIndexKey = (batchId: string) => `batches/${batchId}/hosts.bin`;
/** The shards as they were planned, for a planner that has to begin again. */
export const planKey = (batchId: string) => `batches/${batchId}/plan.json`;
export const summaryKey = (batchId: string) => `batches/${batchId}/summary.json`;
export const failedListKey = (batchId: string) => `batches/${batchId}/failed.jsonl`;
/** The batch's request headers, gone when it closes. */
export const secretsKey = (batchId: string) => `${SECRETS_PREFIX}${batchId}.json`;
export const SECRETS_PREFIX = 'secrets/';
export const batchOfSecrets = (key: string) => key.slice(SECRETS_PREFIX.length, -'.json'.length);

/** Why a batch was rejected. */
export const problemKey = (batchId: string) => `batches/${batchId}/problem.json`;

export const LISTS_PREFIX = 'lists/';
/** A list as it was uploaded. */
export const listKey = (listId: string) => `${LISTS_PREFIX}${listId}`;
/** What was said of a list before its upload. */
export const announcementKey = (listId: string) => `${LISTS_PREFIX}${listId}.json`;
export const listOfKey = (key: string) => key.slice(LISTS_PREFIX.length).replace(/\.json$/, '');

export const resultsPrefix = (batchId: string, shard: number) => `batches/${batchId}/results/${digits(shard, 5)}/`;

/** Outcomes that a worker of lease `epoch` settled with checkpoint `seq`; `failed` of them are failures. */
export function resultsKey(batchId: string, shard: number, part: ResultsPart): string {
  return `${resultsPrefix(batchId, shard)}${digits(part.seq, 8)}.${digits(part.epoch, 8)}.${digits(part.failed, 5)}.jsonl`;
}

export interface ResultsPart {
  seq: number;
  epoch: number;
  failed: number;
}

/** What a results object's key says; `undefined` for any other key. */
export function parseResultsKey(key: string): ResultsPart | undefined {
  const match = /\/(\d+)\.(\d+)\.(\d+)\.jsonl$/.exec(key);
  return match ? { seq: Number(match[1]), epoch: Number(match[2]), failed: Number(match[3]) } : undefined;
}

/** A waiting list; `n` counts the ones that a lease has written. */
export function waitingKey(batchId: string, shard: number, seq: number, epoch: number, n: number): string {
  return `batches/${batchId}/waiting/${digits(shard, 5)}/${digits(seq, 8)}.${digits(epoch, 8)}.${n}.json`;
}

/** A helper by its name: the n-th that was asked for the file of the entry `index`. */
export const helperName = (index: number, n: number) => `F${index}.${n}`;

/** What a helper has to do; there before anybody can hold it, and never changed. */
export const orderKey = (batchId: string, helper: string) => `batches/${batchId}/waiting/${helper}/order.json`;

/** The parts that have landed by a helper; `n` counts what it has written of them. */
export const landedKey = (batchId: string, helper: string, n: number) =>
  `batches/${batchId}/waiting/${helper}/${n}.json`;
