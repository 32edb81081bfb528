import { inLanes } from '../model/lanes.ts';
import type { ShardRecord } from '../model/records.ts';
import type { WaitingList } from '../turn/waiting.ts';
import type { Service } from './service.ts';

/** Uploads aborted at once. */
const UPLOADS_AT_ONCE = 16;

/** Aborts uploads that entries of a waiting list would have gone on with. What fails is left to the store's own expiry. */
export async function abortUploads(
  files: Service['files'],
  prefix: string,
  entries: readonly Pick<WaitingList['entries'][number], 'entry' | 'partial'>[],
): Promise<void> {
  const uploads = entries.flatMap(({ entry, partial }) =>
    partial ? [{ key: prefix + entry.key, id: partial.uploadId }] : [],
  );
  await inLanes(uploads, UPLOADS_AT_ONCE, ({ key, id }) => files.abortUpload(key, id).catch(() => undefined));
}

/** The entries that wait in a shard which nobody works; none if they cannot be read. */
export async function readWaitingEntries(
  { state }: Pick<Service, 'state'>,
  { waiting }: ShardRecord,
): Promise<WaitingList['entries']> {
  if (waiting === undefined) return [];
  const body = await state.get(waiting).catch(() => undefined);
  return body ? (JSON.parse(String(body)) as WaitingList).entries : [];
}

/** Ids of all uploads that open batches go on with. */
export async function openUploads({ ledger, state }: Pick<Service, 'ledger' | 'state'>): Promise<Set<string>> {
  const ids = new Set<string>();
  for (const batchId of await ledger.listOpen()) {
    for (const shard of (await ledger.readBatch(batchId))?.shards ?? []) {
      if (shard.finishedAt !== undefined) continue;
      for (const { partial } of await readWaitingEntries({ state }, shard)) if (partial) ids.add(partial.uploadId);
    }
  }
  return ids;
}
