import { hostnameOf } from '../http1/pool.ts';
import { DownloadError } from '../model/failure.ts';
import { DRAIN_BYTES, DRAIN_MS } from '../model/limits.ts';
import type { BatchOptions } from '../model/options.ts';
import type { PartialFile } from '../model/partial-file.ts';
import type { Clock } from '../ports/clock.ts';
import type { Meter } from '../ports/meter.ts';
import type { Attempt } from './attempt.ts';
import type { Connections } from './connections.ts';
import { gapOf, rangedLength, rangeHeaders } from './continuation.ts';
import { exchange, type Answer } from './exchange.ts';
import type { HostAddresses } from './host-addresses.ts';
import { REDIRECTS, redirectTarget, whyNotRequestable } from './redirect.ts';
import { resourceOf, type Conditions } from './refresh.ts';
import { statusFailure } from './status.ts';
import { failure } from './translate.ts';

/** Statuses whose body is the file. */
const SUCCESSES: ReadonlySet<number> = new Set([200, 203]);
/** Of what a source answers that does not give the rest, these say nothing of whether it would give the whole. */
const NOT_NOW: ReadonlySet<number> = new Set([408, 425, 429]);

export interface SourceDeps {
  addressesOf: HostAddresses;
  connections: Connections;
  clock: Clock;
  meter?: Meter | undefined;
}

export interface SourceRequest {
  url: string;
  /** Headers that the user gave, the later ones on top; they are for the URL's own origin only. */
  headers: readonly Readonly<Record<string, string>>[];
  options: Pick<BatchOptions, 'userAgent' | 'maxRedirects' | 'timeouts'>;
  /** The host whose slot the caller holds; the URL's own if left out. */
  heldHost?: string | undefined;
  /** What is there of the file already: only the rest is asked for, if the source still has the same version. */
  partial?: PartialFile | undefined;
  /** Ask with these the resource that they are of: it then may answer 304. */
  conditions?: Conditions | undefined;
  /** Awaited before the first request to another origin. */
  enterHost: (host: string) => Promise<void>;
}

/** A response whose body is the file; a 304, if conditions were sent; or, of a file of `length` bytes, what follows the beginning that is there. */
export interface Opened {
  answer: Answer;
  /** Those of the user that were sent to who answered. */
  headers: Readonly<Record<string, string>>;
  isRedirected: boolean;
  continues?: { length: number } | undefined;
}

/**
 * Requests a URL, follows redirects and answers the response whose body is the file. A source that does not give just
 * the rest of the same version is asked for the whole. Errors: `DownloadError`; those of `enterHost`.
 */
export async function openSource(deps: SourceDeps, request: SourceRequest, attempt: Attempt): Promise<Opened> {
  const { options } = request;
  let { partial } = request;
  let url = requestableUrl(request.url);
  let userHeaders = Object.assign({}, ...request.headers) as Record<string, string>;
  const seen = new Set([url.href]);
  if (request.heldHost !== undefined && request.heldHost !== url.origin) await enterHost(url.origin);
  for (;;) {
    const answer = await ask(deps, { url, headers: { ...userHeaders, ...special(url) }, options }, attempt);
    const { status } = answer;
    if (SUCCESSES.has(status)) return { answer, headers: userHeaders, isRedirected: seen.size > 1 };
    if (status === 304 && isConditional(url)) {
      await discard(answer, attempt);
      return { answer, headers: userHeaders, isRedirected: seen.size > 1 };
    }
    const length = partial && rangedLength(answer, partial, gapOf(partial));
    if (length !== undefined)
      return { answer, headers: userHeaders, isRedirected: seen.size > 1, continues: { length } };
    const { location, 'retry-after': retryAfter } = answer.response.headers;
    await discard(answer, attempt);
    if (partial && refusesRest(status)) {
      partial = undefined;
      continue;
    }
    if (!REDIRECTS.has(status)) throw statusFailure(status, retryAfter, deps.clock.now());
    const next = redirectTarget(url, location, status);
    if (seen.has(next.href)) throw failure('REDIRECT_LOOP', status);
    if (seen.size > options.maxRedirects) throw failure('TOO_MANY_REDIRECTS', status);
    seen.add(next.href);
    if (next.origin !== url.origin) {
      userHeaders = {}; // they may be secrets, and never come back, even if a later hop does
      await enterHost(next.origin);
    }
    url = next;
  }

  function isConditional(url: URL): boolean {
    const { conditions } = request;
    return conditions ? conditions.resource === resourceOf(url) : false;
  }

  function special(url: URL): Record<string, string> {
    return {
      ...(partial && rangeHeaders(partial, gapOf(partial))),
      ...(isConditional(url) && request.conditions?.headers),
    };
  }

  async function enterHost(host: string): Promise<void> {
    await request.enterHost(host);
    attempt.signal.throwIfAborted();
  }
}

/** One request, its host looked up, without following a redirect. Errors: `DownloadError`. */
export async function ask(
  { addressesOf, connections, clock, meter }: SourceDeps,
  { url, headers, options }: { url: URL; headers: Readonly<Record<string, string>>; options: SourceRequest['options'] },
  attempt: Attempt,
): Promise<Answer> {
  attempt.limit(options.timeouts.connectMs, 'CONNECT_TIMEOUT');
  const found = addressesOf(hostnameOf(url));
  const addresses = found instanceof Promise ? await untilAborted(found, attempt.signal) : found;
  const all: Record<string, string> = { 'user-agent': options.userAgent, accept: '*/*' };
  for (const [name, value] of Object.entries(headers)) all[name.toLowerCase()] = value;
  all['accept-encoding'] = 'identity';
  const askedAt = clock.now();
  const answer = await exchange(connections, { url, headers: all, addresses }, options.timeouts, attempt);
  meter?.('SourceLatency', clock.now() - askedAt);
  return answer;
}

/** Whether a source may have refused the range and not the file: it is asked for the whole at once. */
export function refusesRest(status: number): boolean {
  return status === 206 || status === 501 || (status >= 400 && status < 500 && !NOT_NOW.has(status));
}

function requestableUrl(text: string): URL {
  const url = URL.parse(text);
  const why = url === null ? 'it is no URL' : whyNotRequestable(url);
  if (url === null || why !== undefined) throw new DownloadError('INVALID_URL', `the URL cannot be requested: ${why}`);
  // Setting it costs as much as parsing.
  if (url.href.includes('#')) url.hash = '';
  return url;
}

/** Frees the connection of a response that is no use: reads a small body to its end, else closes the connection. */
export async function discard({ response }: Answer, attempt: Attempt): Promise<void> {
  let left = response.isReusable && (response.length ?? 0) <= DRAIN_BYTES ? DRAIN_BYTES : -1;
  attempt.after(DRAIN_MS, response.destroy);
  try {
    while (left >= 0) {
      const piece = response.read();
      if (piece) left -= piece.length;
      else if (response.hasEnded()) break;
      else await response.changed();
    }
  } catch {
    // The status has spoken; how its body ends changes nothing.
  }
  response.destroy();
  attempt.unlimited();
  attempt.signal.throwIfAborted();
}

/** Waits for what cannot be aborted itself; it then goes on unseen. */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
