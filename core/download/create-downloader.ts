import { bytesOf, headOf, type PartialFile } from '../model/partial-file.ts';
import { SPLIT_BYTES } from '../model/limits.ts';
import type { Clock } from '../ports/clock.ts';
import type { Meter } from '../ports/meter.ts';
import type { ObjectInfo, ObjectStore } from '../ports/object-store.ts';
import type { Network } from './address-guard.ts';
import { beginAttempt, type Attempt } from './attempt.ts';
import type { ByteBudget } from './byte-budget.ts';
import { createConnections } from './connections.ts';
import { compareSaved } from './digests.ts';
import { keyOf, ownerOf, type Download, type FetchParts, type Job, type Stored } from './downloader.ts';
import { createFetchParts } from './fetch-parts.ts';
import type { HelpSettings } from './help-wanted.ts';
import { createHostAddresses, type Resolver } from './host-addresses.ts';
import { createKeptDigests } from './kept-digests.ts';
import { isOwn, METADATA } from './object-headers.ts';
import { ALLOWANCE_BYTES, reusedMemory, SINGLE_PUT_BYTES } from './object-writer.ts';
import { RangeRefused } from './part-request.ts';
import { conditionsFor } from './refresh.ts';
import { openSource } from './source.ts';
import { isCompared, storeFile } from './store-file.ts';
import { createTimeLimits } from './time-limits.ts';
import { failure, inStore, isUploadLost, toDownloadError } from './translate.ts';

export interface DownloaderDeps {
  /** Where the files go. */
  files: ObjectStore;
  clock: Clock;
  /** Memory for the bodies of all downloads that are under way at once; at least 8 MiB. */
  budget: ByteBudget;
  resolve: Resolver;
  /** Networks that may be downloaded from although they are not public. */
  allowedNetworks: readonly Network[];
  /** Bytes of the smallest part, and of the largest file that is stored by one PUT: 8 MiB if left out. */
  leastPartBytes?: number;
  /** Bytes of the smallest file that is fetched over several connections: 256 MiB if left out. */
  splitBytes?: number;
  /** When other workers are asked to help with a file; never if left out. */
  help?: HelpSettings | undefined;
  /** No less than its line can take: connections for a file's parts are begun no faster. Without a limit if left out. */
  lineBytesPerSecond?: number;
  /** Left out where nobody looks at metrics. */
  meter?: Meter | undefined;
}

export interface Downloader {
  download: Download;
  fetchParts: FetchParts;
  /** Closes the connections that are kept alive. Call it when no download is under way. */
  close: () => Promise<void>;
}

/** Downloads entries, each call one attempt: nothing is tried again here, and calls do not limit each other but by memory. */
export function createDownloader(deps: DownloaderDeps): Downloader {
  const { files, clock, budget, resolve, allowedNetworks, meter } = deps;
  const { leastPartBytes = SINGLE_PUT_BYTES, splitBytes = SPLIT_BYTES } = deps;
  if (budget.maxRoomBytes < leastPartBytes) throw new RangeError(`the budget must hold ${leastPartBytes} bytes`);
  const connections = createConnections(allowedNetworks);
  const addressesOf = createHostAddresses({ resolve, clock, allowedNetworks });
  const limitTime = createTimeLimits(clock);
  const keptDigests = createKeptDigests();
  const storing = {
    addressesOf,
    connections,
    clock,
    meter,
    files,
    budget,
    allowances: reusedMemory(ALLOWANCE_BYTES),
    limitTime,
    keptDigests,
    leastPartBytes,
    splitBytes,
    help: deps.help,
    lineBytesPerSecond: deps.lineBytesPerSecond,
  };

  async function download(job: Job): Promise<Stored> {
    job.signal.throwIfAborted();
    const watched = watch(job);
    try {
      const existing = await findExisting(job);
      if (existing && job.options.ifExists === 'skip') return { state: 'skipped', bytes: existing.bytes };
      return await fetchAndStore(watched, existing);
    } catch (error) {
      job.signal.throwIfAborted(); // the error only follows from that
      throw (watched.hostError ?? toDownloadError(error)) as Error;
    }
  }

  /** An object that stands at the entry's key and is not its own, where that makes a difference. */
  async function findExisting(job: Job): Promise<ObjectInfo | undefined> {
    const { ownPrefix, ifExists } = job.options;
    if (ownPrefix || ifExists === 'overwrite') return undefined;
    const existing = await inStore(files.head(keyOf(job), { signal: job.signal }));
    return existing && !isOwn(existing, ownerOf(job)) ? existing : undefined;
  }

  async function fetchAndStore(job: WatchedJob, existing?: ObjectInfo): Promise<Stored> {
    const { entry, options } = job;
    if (job.partial && !canGoOn(job, job.partial)) await giveUp(job);
    // A source that has begun to send another version has said that there is one.
    const conditions = existing && !job.partial ? conditionsFor(existing, entry, options) : undefined;
    /** Where the attempt has its slot, once it was redirected. */
    let heldHost: string | undefined;
    /** What went wrong with several connections, and will not be tried again. */
    let refusals = 0;
    for (;;) {
      const stored = job.partial && (await complete(job, job.partial));
      if (stored) return stored;
      const { partial, enterHost } = job;
      const headers = [job.headers, entry.headers ?? {}];
      const request = { url: entry.url, headers, options, enterHost, heldHost, partial, conditions };
      const before = bytesOf(partial);
      let begun: PartialFile | undefined;
      using attempt = beginAttempt(job.signal, limitTime());
      job.attempt = attempt;
      try {
        const opened = await openSource(storing, request, attempt);
        attempt.unlimited();
        const { answer, continues } = opened;
        heldHost = answer.url.origin;
        if (existing && answer.status === 304) {
          const { bytes, contentType } = existing;
          return { state: 'skipped', bytes, contentType, httpStatus: 304 };
        }
        begun = continues && partial && { ...partial, length: continues.length };
        if (partial && !begun) {
          await giveUp(job);
          if (isSplit(partial) && answer.response.headers.etag !== partial.etag) countChange(job);
        }
        const mayBorrow = refusals === 0 && job.wasChanged !== true;
        return await storeFile(storing, job, { opened, begun, existing, mayBorrow }, attempt);
      } catch (error) {
        attempt.fail(error);
        if (job.signal.aborted || job.hostError !== undefined) throw error;
        if (begun && isUploadLost(error)) {
          // Another worker had the upload too, and completed or aborted it: that is no failure of this attempt.
          const stored = await findCompleted(job, begun).catch(() => undefined);
          if (stored) return stored;
        } else if (error instanceof RangeRefused) {
          // From where the URL leads to by now; without other connections, if nothing has come since; then as one stream.
          refusals = bytesOf(job.partial) > before ? 0 : refusals + 1;
          if (refusals > 1) await giveUp(job);
        } else if (job.wasChanged !== true && toDownloadError(error).code === 'SOURCE_CHANGED') countChange(job);
        else throw error;
      }
    }
  }

  function isSplit({ length }: PartialFile): boolean {
    return length !== undefined && length >= splitBytes;
  }

  /** Makes the object of an upload that has all its parts: nothing is left to be fetched. */
  async function complete(job: WatchedJob, partial: PartialFile): Promise<Stored | undefined> {
    const { uploadId, parts, length } = partial;
    if (length === undefined || bytesOf({ parts: headOf(parts) }) < length) return undefined;
    await compareSaved(job.entry, partial.digests);
    try {
      await inStore(files.completeUpload(keyOf(job), uploadId, parts, { signal: job.signal }));
    } catch (error) {
      if (!isUploadLost(error)) throw error;
      const stored = await findCompleted(job, partial);
      if (!stored) await giveUp(job);
      return stored;
    }
    return endOf(job, partial, length);
  }

  /** What became of an upload that is gone: who completed it has checked what it is made of. */
  async function findCompleted(job: WatchedJob, partial: PartialFile): Promise<Stored | undefined> {
    const object = await inStore(files.head(keyOf(job), { signal: job.signal }));
    if (!object || !isOwn(object, ownerOf(job)) || object.bytes !== partial.length) return undefined;
    return object.metadata?.[METADATA.etag] === partial.etag ? endOf(job, partial, object.bytes) : undefined;
  }

  function endOf(job: WatchedJob, partial: PartialFile, bytes: number): Stored {
    const sha256 = job.entry.sha256 ?? keptDigests.of(partial)?.live?.sha256.copy().digest('hex');
    keptDigests.forget(partial.uploadId);
    job.keep?.(undefined);
    return { state: 'done', bytes, sha256, contentType: partial.contentType };
  }

  function watch(given: Job): WatchedJob {
    const job: WatchedJob = {
      ...given,
      attempt: undefined,
      hostError: undefined,
      partial: given.partial,
      keep: given.keep && ((partial?: PartialFile) => given.keep?.((job.partial = partial))),
      changed() {
        job.wasChanged = true;
        given.changed?.();
      },
      async enterHost(host: string) {
        try {
          await given.enterHost(host);
        } catch (error) {
          job.hostError ??= error;
          job.attempt?.fail(error);
          throw error;
        }
      },
    };
    return job;
  }

  /** The file is begun anew, with its one connection; but once only. */
  function countChange(job: Job): void {
    if (job.wasChanged === true) throw failure('SOURCE_CHANGED');
    job.changed?.();
  }

  /** Without digests of its beginning, a file cannot be compared with those that the user gave. */
  function canGoOn({ entry, keep }: Job, partial: PartialFile): boolean {
    if (keep === undefined || partial.partBytes > budget.maxRoomBytes) return false;
    return !isCompared(entry) || partial.digests !== undefined || keptDigests.of(partial) !== undefined;
  }

  /** Aborts what an earlier attempt has begun: the file is begun anew. */
  async function giveUp(job: WatchedJob): Promise<void> {
    if (!job.partial) return;
    const { uploadId } = job.partial;
    keptDigests.forget(uploadId);
    job.partial = undefined;
    job.keep?.(undefined);
    // What cannot be aborted is left to the store's own expiry of uploads.
    await files.abortUpload(keyOf(job), uploadId).catch(() => undefined);
  }

  return { download, fetchParts: createFetchParts(storing), close: () => connections.close() };
}

/** A job that knows what it was last told to keep, and which of its errors end it as they are. */
type WatchedJob = Job & {
  partial: PartialFile | undefined;
  /** What is under way. */
  attempt: Attempt | undefined;
  /** What `enterHost` threw first: of hosts, not of the source. */
  hostError: unknown;
};
