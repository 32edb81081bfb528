import type { BatchOptions } from '../model/options.ts';
import { beginAttempt, type Attempt } from './attempt.ts';
import { readBody } from './body.ts';
import { put, type Room } from './byte-budget.ts';
import { rangedLength, rangeHeaders, type ByteRange, type Version } from './continuation.ts';
import type { Answer } from './exchange.ts';
import { REDIRECTS } from './redirect.ts';
import { ask, discard, refusesRest, type SourceDeps } from './source.ts';
import { statusFailure } from './status.ts';
import type { TimeLimit } from './time-limits.ts';
import { failure } from './translate.ts';

/** The source does not give this range, which says nothing of whether it would give the whole. */
export class RangeRefused extends Error {
  constructor(status: number) {
    super(`The source gave no such range (${status}).`);
    this.name = 'RangeRefused';
  }
}

/** Who answered for a file, and what its parts are held to be of. */
export interface PartSource {
  /** Asked directly: redirects were followed once, and lead there for as long as the attempt lasts. */
  url: URL;
  headers: Readonly<Record<string, string>>;
  version: Version;
  options: BatchOptions;
}

/**
 * Requests a range of a file, pinned to its version.
 *
 * Errors: `RangeRefused`; `DownloadError`, `SOURCE_CHANGED` if there is another version by now.
 */
export async function openPart(
  deps: SourceDeps,
  { url, headers, version, options }: PartSource,
  range: ByteRange,
  attempt: Attempt,
): Promise<Answer> {
  const answer = await ask(deps, { url, headers: { ...headers, ...rangeHeaders(version, range) }, options }, attempt);
  if (rangedLength(answer, version, range) !== undefined) return answer;
  const { status, response } = answer;
  const { etag, 'retry-after': retryAfter } = response.headers;
  await discard(answer, attempt);
  // What answers a range with the whole of its version has no other one (RFC 9110, section 13.1.5).
  if ((status === 200 || status === 206) && etag !== undefined && etag !== version.etag)
    throw failure('SOURCE_CHANGED', status);
  if (status < 300 || REDIRECTS.has(status) || refusesRest(status)) throw new RangeRefused(status);
  throw statusFailure(status, retryAfter, deps.clock.now());
}

/**
 * Reads a range of a file into its room, which grows with what comes. It must be just as long.
 *
 * Errors: those of `openPart`; `TRUNCATED`, `BAD_RESPONSE`; the signal's reason.
 */
export async function readPart(
  deps: SourceDeps & { limitTime: () => TimeLimit },
  source: PartSource,
  range: { from: number; to: number },
  room: Room,
  signal: AbortSignal,
): Promise<void> {
  const bytes = range.to - range.from;
  using own = beginAttempt(signal, deps.limitTime());
  const answer = await openPart(deps, source, range, own);
  let used = 0;
  const space = (from: number) => room.buffer.subarray(from);
  for await (const piece of readBody(answer, source.options, own, deps.clock, space)) {
    if (used + piece.length > bytes) throw failure('BAD_RESPONSE', answer.status);
    for (let rest = piece; rest.length > 0;) {
      if (used === room.buffer.length) await room.grow(signal);
      const copied = put(rest, room.buffer, used);
      used += copied;
      rest = rest.subarray(copied);
    }
  }
  if (used !== bytes) throw failure('TRUNCATED', answer.status);
}
