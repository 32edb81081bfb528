import type { Clock } from '../ports/clock.ts';
import type { ObjectInfo, ObjectStore } from '../ports/object-store.ts';
import { DownloadError } from '../model/failure.ts';
import { bytesOf, headOf, type PartialFile } from '../model/partial-file.ts';
import type { Attempt } from './attempt.ts';
import { createBodyCheck } from './body-check.ts';
import { isPlainlyFramed, readBody } from './body.ts';
import type { ByteBudget, Room } from './byte-budget.ts';
import { isWantedType } from './content-type.ts';
import { givesRanges, versionOf, type Version } from './continuation.ts';
import { hashLive, hashSaved, type Digests, type Hashing } from './digests.ts';
import { keyOf, ownerOf, type Job, type Stored } from './downloader.ts';
import type { HelpSettings } from './help-wanted.ts';
import type { KeptDigests } from './kept-digests.ts';
import { objectHeaders } from './object-headers.ts';
import { createObjectWriter, MAX_PARTS, partBytesFor } from './object-writer.ts';
import { createPartUpload, type BegunUpload } from './part-upload.ts';
import { holds, resourceOf } from './refresh.ts';
import type { Opened, SourceDeps } from './source.ts';
import { createSplit, type Split } from './split.ts';
import type { TimeLimit } from './time-limits.ts';
import { failure, inStore, isUploadLost, toDownloadError } from './translate.ts';

export interface StoreFileDeps extends SourceDeps {
  files: ObjectStore;
  clock: Clock;
  budget: ByteBudget;
  /** Memory for what is small, outside of the budget. */
  allowances: (bytes: number) => Room;
  limitTime: () => TimeLimit;
  keptDigests: KeptDigests;
  /** When other workers are asked to help; never if left out. */
  help?: HelpSettings | undefined;
  /** No less than the worker's line can take. Without a limit if left out. */
  lineBytesPerSecond?: number | undefined;
  /** Bytes of the smallest part, and of the smallest file that is split. */
  leastPartBytes: number;
  splitBytes: number;
}

/** How much of a file comes, and what of it is there. */
export interface FileStart {
  opened: Opened;
  /** What the response goes on from. */
  begun?: PartialFile | undefined;
  /** An object that stands at the key and is another's. */
  existing?: ObjectInfo | undefined;
  /** Whether connections may be borrowed. */
  mayBorrow: boolean;
}

/** Whether a file's bytes have to be hashed. */
export function isCompared({ sha256, md5 }: Job['entry']): boolean {
  return sha256 !== undefined || md5 !== undefined;
}

/**
 * Writes a file while it comes, over one connection or several; the object becomes visible only after every check has
 * passed. Errors: `DownloadError`; `RangeRefused`, with what has landed left to who goes on.
 */
export async function storeFile(deps: StoreFileDeps, job: Job, start: FileStart, attempt: Attempt): Promise<Stored> {
  const { files, budget, keptDigests, clock } = deps;
  const { entry, options } = job;
  const { begun, existing } = start;
  const { answer } = start.opened;
  const { response, status } = answer;
  const { signal } = attempt;
  const wanted = begun !== undefined || isWantedType(response.headers['content-type'], options.contentTypes);
  if (!wanted) throw failure('UNWANTED_TYPE', status);
  if (!isPlainlyFramed(response)) throw failure('BAD_RESPONSE', status);

  const length = begun ? begun.length : response.length;
  const limitBytes = length ?? entry.size ?? options.maxBytes;
  const partBytes = begun?.partBytes ?? Math.min(partBytesFor(limitBytes, deps.leastPartBytes), budget.maxRoomBytes);
  if (length !== undefined && length <= options.maxBytes && length > partBytes * MAX_PARTS)
    throw outOfParts(partBytes, status);
  const head = begun ? headOf(begun.parts).length : 0;
  /** What fits into one PUT leaves nothing behind that could be gone on with. */
  const isOnePut = !begun && length !== undefined && length <= partBytes && length < deps.splitBytes;
  const version = isOnePut ? undefined : job.keep && (begun ?? versionOf(answer));
  const isLarge = version !== undefined && length !== undefined && length >= deps.splitBytes;
  const mayBorrow = isLarge && start.mayBorrow && options.connectionsPerFile > 1 && givesRanges(answer);
  const hasGaps = begun !== undefined && begun.parts.length > head;
  const isSplit = (mayBorrow && job.borrow !== undefined) || hasGaps;

  const hashing = await hashingOf();
  const check = createBodyCheck(entry, Math.min(options.maxBytes, partBytes * MAX_PARTS), status, {
    bytes: head * partBytes,
    hashing,
  });
  if (length !== undefined) check.declared(length);

  const headers = objectHeaders(ownerOf(job), entry.url, resourceOf(answer.url), response.headers);
  const contentType = begun ? begun.contentType : headers.contentType;
  /** The upload that `keep` was told of. */
  let told = begun?.uploadId;
  /** Digests at the end of each part that has not landed. */
  let marks: Digests[] = [];
  const upload = createPartUpload(files, keyOf(job), headers, { partBytes, begun, signal, onProgress });
  const writer = createObjectWriter(files, keyOf(job), headers, {
    partBytes,
    limitBytes,
    open: budget.open,
    allowances: deps.allowances,
    upload,
    firstPart: head + 1,
    signal,
  });
  const split = isSplit && length !== undefined && version ? splitOf(length, version) : undefined;

  try {
    await readStream();
    if (!split && !begun && check.bytes <= partBytes) job.received?.();
    if (split) {
      await inStore(writer.flush());
      await split.finish();
    }
    const { bytes, sha256 } = check.end();
    const same = existing !== undefined && holds(existing, sha256, headers.contentEncoding);
    if (same) await writer.abort();
    else await inStore(writer.finish(sha256));
    await split?.stop();
    forget();
    if (same) return { state: 'skipped', bytes, sha256, contentType, httpStatus: status };
    const whole = { state: 'done', bytes, sha256, contentType, httpStatus: status } as const;
    return length !== undefined || response.isFramed ? whole : { ...whole, lengthVerified: false };
  } catch (error) {
    const lost = isUploadLost(error);
    const dead = lost || isChanged(error);
    attempt.fail(error); // first, so that parts under way are cut short
    await split?.stop();
    if (told !== undefined && !dead) await writer.leave();
    else {
      await writer.abort();
      forget();
    }
    throw error;
  }

  /** A worker that goes on with what another one has begun has no hash of Node's for it. */
  async function hashingOf(): Promise<Hashing | undefined> {
    const { sha256, md5 } = entry;
    // Also of a file that was not known to be large when it was begun.
    const live = begun && keptDigests.of(begun)?.live;
    if (isLarge && isCompared(entry) && !live)
      return hashSaved({ sha256: sha256 !== undefined, md5: md5 !== undefined }, begun?.digests);
    return begun && !live ? undefined : hashLive(md5 !== undefined, live);
  }

  function splitOf(bytes: number, version: Version): Split {
    const file = {
      source: { url: answer.url, headers: start.opened.headers, version: { ...version, length: bytes }, options },
      isRedirected: start.opened.isRedirected,
      options,
      length: bytes,
      partBytes,
      landed: begun?.parts.map(({ number }) => number) ?? [],
      upload,
      inOrder: isCompared(entry) ? check : undefined,
      seen: mark,
      borrow: mayBorrow ? job.borrow : undefined,
      helpers: job.helpers,
      again: job.enterHost,
      failed: job.requestFailed,
    };
    return createSplit(deps, file, attempt);
  }

  /** Reads what the answer gives, until others have what follows. */
  async function readStream(): Promise<void> {
    // Not that of the check, to whom others may have brought what follows.
    const begin = head * partBytes;
    let position = begin;
    const space = (from: number) => writer.space(begin + from);
    for await (const piece of readBody(answer, options, attempt, clock, space)) {
      for (let rest = piece; rest.length > 0;) {
        const at = position % partBytes;
        if (at === 0 && split && !(await claim(split, position / partBytes + 1))) return;
        const slice = rest.subarray(0, partBytes - at);
        rest = rest.subarray(slice.length);
        position += slice.length;
        check.take(slice);
        if (version && (position % partBytes === 0 || position === length)) mark();
        await inStore(writer.write(slice));
      }
    }
    if (split && position < (length ?? 0) && !isCompared(entry)) check.leaveRest();
  }

  async function claim(split: Split, part: number): Promise<boolean> {
    // It may wait for others, and they for the room of the part before.
    await inStore(writer.passOn());
    const isOurs = await split.claim(part, (until) => inStore(writer.prepare(until)));
    if (isOurs) split.start();
    if (!isCompared(entry)) {
      if (!isOurs) check.leaveRest();
      else if (split.isShared) check.leaveDigests();
    }
    return isOurs;
  }

  /** Before the part that ends here can land. */
  function mark(): void {
    const digests = check.digests();
    if (digests) marks.push(digests);
  }

  function onProgress({ uploadId, parts: landed }: BegunUpload): void {
    if (!version) return;
    // Where there are gaps, a later attempt has to be able to fill them.
    const parts = split && !isCompared(entry) ? landed : headOf(landed);
    const bytes = bytesOf({ parts: headOf(parts) });
    const digests = marks.find((mark) => mark.bytes === bytes);
    if (digests?.live) keptDigests.keep(uploadId, digests);
    marks = marks.filter((mark) => mark.bytes > bytes);
    const { etag, source, contentEncoding } = version;
    const saved = digests?.saved && { digests: digests.saved };
    if (parts.length === 0) return;
    told = uploadId;
    job.keep?.({ uploadId, partBytes, parts, etag, source, length, contentType, contentEncoding, ...saved });
  }

  function forget(): void {
    if (told === undefined) return;
    keptDigests.forget(told);
    job.keep?.(undefined);
  }
}

function outOfParts(partBytes: number, httpStatus: number): DownloadError {
  const message = `the file is larger than what fits into ${MAX_PARTS} parts of ${partBytes} bytes; larger parts take workers of more memory`;
  return new DownloadError('TOO_LARGE', message, { httpStatus });
}

function isChanged(error: unknown): boolean {
  return toDownloadError(error).code === 'SOURCE_CHANGED';
}
