import type { BatchOptions } from '../model/options.ts';
import type { Attempt } from './attempt.ts';
import { rangedLength, rangeHeaders, type ByteRange, type Version } from './continuation.ts';
import type { Answer } from './exchange.ts';
import { REDIRECTS } from './redirect.ts';
import { ask, discard, refusesRest, type SourceDeps } from './source.ts';
import { statusFailure } from './status.ts';
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
  options: Pick<BatchOptions, 'userAgent' | 'maxRedirects' | 'timeouts'>;
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
