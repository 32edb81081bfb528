import type { Clock } from '../ports/clock.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import type { Network } from './address-guard.ts';
import { beginAttempt, type Attempt } from './attempt.ts';
import { createBodyCheck } from './body-check.ts';
import { declaredLength, isFramed, readBody } from './body.ts';
import type { ByteBudget } from './byte-budget.ts';
import { createConnections } from './connections.ts';
import type { Download, Job, Stored } from './downloader.ts';
import type { Answer } from './exchange.ts';
import { createHostAddresses, type Resolver } from './host-addresses.ts';
import { isOwn, METADATA, objectHeaders } from './object-headers.ts';
import { createObjectWriter, MAX_PARTS, partBytesFor, SINGLE_PUT_BYTES } from './object-writer.ts';
import { openSource } from './source.ts';
import { createTimeLimits } from './time-limits.ts';
import { toDownloadError } from './translate.ts';

export interface DownloaderDeps {
  /** Where the files go. */
  files: ObjectStore;
  clock: Clock;
  /** Memory for the bodies of all downloads that are under way at once; at least 8 MiB. */
  budget: ByteBudget;
  resolve: Resolver;
  /** Networks that may be downloaded from although they are not public. */
  allowedNetworks: readonly Network[];
}

export interface Downloader {
  download: Download;
  /** Closes the connections that are kept alive. Call it when no download is under way. */
  close: () => Promise<void>;
}

/** Downloads entries, each call one attempt: nothing is tried again here, and calls do not limit each other but by memory. */
export function createDownloader({ files, clock, budget, resolve, allowedNetworks }: DownloaderDeps): Downloader {
  if (budget.maxBytes < SINGLE_PUT_BYTES) throw new RangeError(`the budget must hold ${SINGLE_PUT_BYTES} bytes`);
  const connections = createConnections(allowedNetworks);
  const addressesOf = createHostAddresses({ resolve, clock, allowedNetworks });
  const limitTime = createTimeLimits(clock);

  async function download(job: Job): Promise<Stored> {
    job.signal.throwIfAborted();
    using attempt = beginAttempt(job.signal, limitTime());
    try {
      return (await findExisting(job, attempt)) ?? (await fetchAndStore(job, attempt));
    } catch (error) {
      attempt.fail(toDownloadError(error)); // unless the attempt had ended before, and the error only follows from that
      throw attempt.signal.reason;
    }
  }

  async function findExisting(job: Job, { signal }: Attempt): Promise<Stored | undefined> {
    const { ownPrefix, ifExists } = job.options;
    if (ownPrefix || ifExists === 'overwrite') return undefined;
    const existing = await inStore(files.head(keyOf(job), { signal }));
    if (existing === undefined || isOwn(existing, ownerOf(job))) return undefined;
    return { state: 'skipped', bytes: existing.bytes };
  }

  async function fetchAndStore(job: Job, attempt: Attempt): Promise<Stored> {
    const { entry, options, enterHost } = job;
    const headers = [job.headers, entry.headers ?? {}];
    const request = { url: entry.url, headers, options, enterHost };
    const answer = await openSource({ addressesOf, connections, clock }, request, attempt);
    return store(job, answer, attempt);
  }

  /** Writes the body while it comes; the object becomes visible only after every check has passed. */
  async function store(job: Job, answer: Answer, attempt: Attempt): Promise<Stored> {
    const { entry, options } = job;
    const { response, status } = answer;
    const declared = declaredLength(response);
    const limitBytes = declared ?? entry.size ?? options.maxBytes;
    const partBytes = Math.min(partBytesFor(limitBytes), budget.maxBytes);
    const check = createBodyCheck(entry, Math.min(options.maxBytes, partBytes * MAX_PARTS), status);
    if (declared !== undefined) check.declared(declared);

    const headers = objectHeaders(ownerOf(job), entry.url, response.headers);
    const { signal } = attempt;
    const writer = createObjectWriter(files, keyOf(job), headers, {
      partBytes,
      limitBytes,
      reserve: budget.reserve,
      signal,
    });
    try {
      for await (const piece of readBody(answer, options, attempt, clock)) {
        check.take(piece);
        await inStore(writer.write(piece));
      }
      const { bytes, sha256 } = check.end();
      await inStore(writer.finish({ [METADATA.sha256]: sha256 }));
      const whole = { state: 'done', bytes, sha256, contentType: headers.contentType, httpStatus: status } as const;
      return isFramed(response) ? whole : { ...whole, lengthVerified: false };
    } catch (error) {
      attempt.fail(toDownloadError(error)); // first, so that parts under way are cut short
      await writer.abort();
      throw error;
    }
  }

  return { download, close: () => connections.close() };
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
