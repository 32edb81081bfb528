import { BACKOFF_BASE_MS, BACKOFF_FACTOR, MAX_BACKOFF_MS } from '../model/limits.ts';

/**
 * How long to wait after the n-th failure in a row (from 1): full jitter, so that many who failed together do not
 * come back together.
 */
export function backoffMs(failures: number, random: () => number): number {
  const most = Math.min(MAX_BACKOFF_MS, BACKOFF_BASE_MS * BACKOFF_FACTOR ** (failures - 1));
  return Math.ceil(random() * most);
}
