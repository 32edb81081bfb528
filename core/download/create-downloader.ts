import { DownloadError } from '../model/failure.ts';
import { bytesOf, type PartialFile } from '../model/partial-file.ts';
import type { Clock } from '../ports/clock.ts';
import type { Meter } from '../ports/meter.ts';
import { ObjectStoreError, type ObjectInfo, type ObjectStore } from '../ports/object-store.ts';
import type { Network } from './address-guard.ts';
import { beginAttempt, type Attempt } from './attempt.ts';
import { createBodyCheck, type Digests } from './body-check.ts';
import { declaredLength, isFramed, isPlainlyFramed, readBody } from './body.ts';
import type { ByteBudget } from './byte-budget.ts';
import { createConnections } from './connections.ts';
import { isWantedType } from './content-type.ts';
import { versionOf } from './continuation.ts';
import type { Download, Job, Stored } from './downloader.ts';
import type { Answer } from './exchange.ts';
import { createHostAddresses, type Resolver } from './host-addresses.ts';
import { createKeptDigests } from './kept-digests.ts';
import { isOwn, METADATA, objectHeaders } from './object-headers.ts';
import { createObjectWriter, MAX_PARTS, partBytesFor, SINGLE_PUT_BYTES, type BegunUpload } from './object-writer.ts';
import { conditionsFor, holds, resourceOf } from './refresh.ts';
import { openSource } from './source.ts';
import { createTimeLimits } from './time-limits.ts';
import { failure, toDownloadError } from './translate.ts';

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
  /** Left out where nobody looks at metrics. */
  meter?: Meter | undefined;
}

export interface Downloader {
  download: Download;
  /** Closes the connections that are kept alive. Call it when no download is under way. */
  close: () => Promise<void>;
}

/** Downloads entries, each call one attempt: nothing is tried again here, and calls do not limit each other but by memory. */
export function createDownloader(deps: DownloaderDeps): Downloader {
  const { files, clock, budget, resolve, allowedNetworks, meter, leastPartBytes = SINGLE_PUT_BYTES } = deps;
  if (budget.maxBytes < leastPartBytes) throw new RangeError(`the budget must hold ${leastPartBytes} bytes`);
  const connections = createConnections(allowedNetworks);
  const addressesOf = createHostAddresses({ resolve, clock, allowedNetworks });
  const limitTime = createTimeLimits(clock);
  const keptDigests = createKeptDigests();

  async function download(job: Job): Promise<Stored> {
    job.signal.throwIfAborted();
    using attempt = beginAttempt(job.signal, limitTime());
    try {
      const existing = await findExisting(job, attempt);
      if (existing && job.options.ifExists === 'skip') return { state: 'skipped', bytes: existing.bytes };
      return await fetchAndStore(job, attempt, existing);
    } catch (error) {
      attempt.fail(toDownloadError(error)); // unless the attempt had ended before, and the error only follows from that
      throw attempt.signal.reason;
    }
  }

  /** An object that stands at the entry's key and is not its own, where that makes a difference. */
  async function findExisting(job: Job, { signal }: Attempt): Promise<ObjectInfo | undefined> {
    const { ownPrefix, ifExists } = job.options;
    if (ownPrefix || ifExists === 'overwrite') return undefined;
    const existing = await inStore(files.head(keyOf(job), { signal }));
    return existing && !isOwn(existing, ownerOf(job)) ? existing : undefined;
  }

  async function fetchAndStore(job: Job, attempt: Attempt, existing?: ObjectInfo): Promise<Stored> {
    const { entry, options, enterHost } = job;
    let partial = job.partial;
    if (partial && !canGoOn(job, partial)) {
      await giveUp(job, partial);
      partial = undefined;
    }
    // A source that has begun to send another version has said that there is one.
    const conditions = existing && !partial ? conditionsFor(existing, entry, options) : undefined;
    /** Where the attempt has its slot, once it was redirected. */
    let heldHost: string | undefined;
    for (;;) {
      const headers = [job.headers, entry.headers ?? {}];
      const request = { url: entry.url, headers, options, enterHost, heldHost, partial, conditions };
      const { answer, continues } = await openSource({ addressesOf, connections, clock, meter }, request, attempt);
      attempt.unlimited();
      if (existing && answer.status === 304) {
        const { bytes, contentType } = existing;
        return { state: 'skipped', bytes, contentType, httpStatus: 304 };
      }
      if (!continues || !partial) {
        if (partial) await giveUp(job, partial);
        return await store(job, answer, attempt, { existing });
      }
      try {
        return await store(job, answer, attempt, { existing, begun: { ...partial, length: continues.length } });
      } catch (error) {
        if (!isUploadLost(error) || attempt.signal.aborted) throw error;
        // Another worker had the upload too, and completed or aborted it: that is no failure of this attempt.
        partial = undefined;
        heldHost = answer.url.origin;
      }
    }
  }

  /** Without digests of its beginning, a file cannot be compared with those that the user gave. */
  function canGoOn({ entry, keep }: Job, partial: PartialFile): boolean {
    const compared = entry.sha256 !== undefined || entry.md5 !== undefined;
    if (keep === undefined || partial.partBytes > budget.maxBytes) return false;
    return !compared || keptDigests.of(partial) !== undefined;
  }

  /** Aborts what an earlier attempt has begun: the file is begun anew. */
  async function giveUp(job: Job, { uploadId }: PartialFile): Promise<void> {
    keptDigests.forget(uploadId);
    job.keep?.(undefined);
    // What cannot be aborted is left to the store's own expiry of uploads.
    await files.abortUpload(keyOf(job), uploadId).catch(() => undefined);
  }

  /** Writes the body while it comes; the object becomes visible only after every check has passed. */
  async function store(
    job: Job,
    answer: Answer,
    attempt: Attempt,
    { begun, existing }: { begun?: PartialFile | undefined; existing?: ObjectInfo | undefined },
  ): Promise<Stored> {
    const { entry, options } = job;
    const { response, status } = answer;
    const wanted = begun !== undefined || isWantedType(response.headers['content-type'], options.contentTypes);
    if (!wanted) throw failure('UNWANTED_TYPE', status);
    if (!isPlainlyFramed(response)) throw failure('BAD_RESPONSE', status);
    const length = begun ? begun.length : declaredLength(response);
    const limitBytes = length ?? entry.size ?? options.maxBytes;
    const partBytes = begun?.partBytes ?? Math.min(partBytesFor(limitBytes, leastPartBytes), budget.maxBytes);
    const from = begun && { bytes: bytesOf(begun), digests: keptDigests.of(begun) };
    const check = createBodyCheck(entry, Math.min(options.maxBytes, partBytes * MAX_PARTS), status, from);
    if (length !== undefined) check.declared(length);

    const headers = objectHeaders(ownerOf(job), entry.url, resourceOf(answer.url), response.headers);
    const contentType = begun ? begun.contentType : headers.contentType;
    const version = job.keep && (begun ?? versionOf(answer));
    /** The upload that `keep` was told of. */
    let told = begun?.uploadId;
    /** Digests at the end of each part that has not landed. */
    let marks: Digests[] = [];
    const onProgress = ({ uploadId, parts }: BegunUpload) => {
      if (!version) return;
      told = uploadId;
      const { etag, source, length, contentEncoding } = version;
      const partial = { uploadId, partBytes, parts, etag, source, length, contentType, contentEncoding };
      const mark = marks.find(({ bytes }) => bytes === bytesOf(partial));
      if (mark) keptDigests.keep(uploadId, mark);
      marks = marks.filter(({ bytes }) => bytes > bytesOf(partial));
      job.keep?.(partial);
    };
    const { signal } = attempt;
    const { reserve } = budget;
    const writer = createObjectWriter(files, keyOf(job), headers, {
      partBytes,
      limitBytes,
      reserve,
      begun,
      onProgress,
      signal,
    });
    try {
      for await (const piece of readBody(answer, options, attempt, clock)) {
        for (let rest = piece; rest.length > 0;) {
          const slice = rest.subarray(0, partBytes - (check.bytes % partBytes));
          rest = rest.subarray(slice.length);
          check.take(slice);
          const mark = version && check.bytes % partBytes === 0 ? check.digests() : undefined;
          if (mark) marks.push(mark); // before the part can land
          await inStore(writer.write(slice));
        }
      }
      const { bytes, sha256 } = check.end();
      const same = existing !== undefined && holds(existing, sha256, headers.contentEncoding);
      if (same) await writer.abort();
      else await inStore(writer.finish(sha256 === undefined ? {} : { [METADATA.sha256]: sha256 }));
      if (told !== undefined) {
        keptDigests.forget(told);
        job.keep?.(undefined);
      }
      if (same) return { state: 'skipped', bytes, sha256, contentType, httpStatus: status };
      const whole = { state: 'done', bytes, sha256, contentType, httpStatus: status } as const;
      return length !== undefined || isFramed(response) ? whole : { ...whole, lengthVerified: false };
    } catch (error) {
      const lost = isUploadLost(error);
      if (!lost) attempt.fail(toDownloadError(error)); // first, so that parts under way are cut short
      if (told !== undefined && !lost) await writer.leave();
      else {
        if (told !== undefined) {
          keptDigests.forget(told);
          job.keep?.(undefined);
        }
        await writer.abort();
      }
      throw error;
    }
  }

  return { download, close: () => connections.close() };
}

/** Whether nothing can come of an upload any more. */
function isUploadLost(error: unknown): boolean {
  const cause = error instanceof DownloadError ? error.cause : undefined;
  return cause instanceof ObjectStoreError && cause.code === 'UPLOAD_LOST';
}

function keyOf({ options, entry }: Job): string {
  return options.prefix + entry.key;
}

function ownerOf({ batchId, entry }: Job): { batchId: string; index: number } {
  return { batchId, index: entry.index };
}

async function inStore<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw toDownloadError(error, 'store');
  }
}
