import type { DownloadError } from '../model/failure.ts';
import { BACKOFF_BASE_MS, BACKOFF_FACTOR, MAX_BACKOFF_MS, RETRY_AFTER_SPREAD_MS } from '../model/limits.ts';

/**
 * How long to wait after the n-th failure in a row (from 1): full jitter, so that many who failed together do not
 * come back together.
 */
export function backoffMs(failures: number, random: () => number): number {
  const most = Math.min(MAX_BACKOFF_MS, BACKOFF_BASE_MS * BACKOFF_FACTOR ** (failures - 1));
  return Math.ceil(random() * most);
}

/**
 * When a host that failed for the n-th time in a row is asked again: when it said, or after a backoff. A time that has
 * passed, or that was obeyed in vain, is no reason to come back sooner than the backoff says. A host tells all shards the
 * same time; a spread keeps them from coming back at the same instant.
 */
export function hostRetryAt(
  { retryAt }: Pick<DownloadError, 'retryAt'>,
  failures: number,
  now: number,
  random: () => number,
): number {
  const said = retryAt === undefined ? 0 : retryAt + Math.ceil(random() * RETRY_AFTER_SPREAD_MS);
  const isTrusted = failures === 1 && retryAt !== undefined && retryAt > now;
  return isTrusted ? said : Math.max(said, now + backoffMs(failures, random));
}
