import type { S3ClientConfig } from '@aws-sdk/client-s3';

/** As the SDK's clients take it; the same for all of them. */
type RetryStrategy = Extract<S3ClientConfig['retryStrategy'], { acquireInitialRetryToken: unknown }>;
type Token = Awaited<ReturnType<RetryStrategy['acquireInitialRetryToken']>>;

/** The first pause before jitter, which doubles: the SDK's own, after a failure and after a refusal for haste. */
const PAUSE_MS = 100;
const THROTTLED_PAUSE_MS = 500;
const MAX_PAUSE_MS = 20_000;

/**
 * Up to `attempts` attempts of each call, with full jitter; the SDK decides what may be tried again, and sleeps as long as
 * a token says.
 *
 * The SDK's own strategies share a budget among all calls of a client, 500 tokens of which a retry takes 5 or 10 and
 * only a success gives some back. It is empty after a hundred 503s at once, as when S3 splits a prefix, and drained for
 * good by calls that end in a 404 or a failed condition; from then on the first failure is the last. A worker's calls
 * are few and bounded by its connections, so that there is nothing for a budget to protect.
 */
export function createRetries(attempts: number): RetryStrategy {
  return {
    acquireInitialRetryToken: () => Promise.resolve(tokenAfter(0, 0)),
    refreshRetryTokenForRetry(token, { errorType }) {
      const retries = token.getRetryCount() + 1;
      const mayPass = errorType === 'THROTTLING' || errorType === 'TRANSIENT';
      // What the SDK expects; it then throws the call's own error.
      if (!mayPass || retries >= attempts) return Promise.reject(new Error('No attempt is left.'));
      const first = errorType === 'THROTTLING' ? THROTTLED_PAUSE_MS : PAUSE_MS;
      const pause = Math.random() * Math.min(MAX_PAUSE_MS, first * 2 ** (retries - 1));
      return Promise.resolve(tokenAfter(retries, pause));
    },
    recordSuccess: () => undefined,
  };
}

function tokenAfter(retries: number, pauseMs: number): Token {
  return { getRetryCount: () => retries, getRetryDelay: () => pauseMs };
}
