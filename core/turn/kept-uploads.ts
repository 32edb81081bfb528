import type { Service } from '../batch/service.ts';
import { abortUploads } from '../batch/uploads.ts';
import type { WaitingEntry, WaitingList } from './waiting.ts';

export type KeptUploads = ReturnType<typeof createKeptUploads>;

/**
 * Who ends the uploads that wait with a shard's entries for another attempt: they belong to the shard, and so to whoever
 * holds its lease. An upload that is aborted although somebody goes on with it does no harm: he finds it gone and begins
 * the file anew.
 */
export function createKeptUploads(files: Service['files'], prefix: string) {
  /** Ids of those in a list that stands, or stood, in the shard's record. */
  const named = new Set<string>();

  return {
    /** These are known to stand in the record. */
    name({ entries }: WaitingList): void {
      for (const { partial } of entries) if (partial) named.add(partial.uploadId);
    },
    /** Nobody goes on with these entries. */
    abort: (entries: readonly WaitingEntry[]): Promise<void> => abortUploads(files, prefix, entries),
    /** The lease is lost: what the record names is the next owner's, the rest nobody else knows of. */
    async abandon({ entries }: WaitingList): Promise<void> {
      await abortUploads(
        files,
        prefix,
        entries.filter(({ partial }) => partial && !named.has(partial.uploadId)),
      );
    },
  };
}
