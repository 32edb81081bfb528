import { DownloadError, FAILURES, type FailureCode } from '../model/failure.ts';
import { MAX_RETRY_AFTER_MS } from '../model/limits.ts';

const CODES: Readonly<Record<number, FailureCode>> = {
  401: 'FORBIDDEN',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  407: 'FORBIDDEN',
  408: 'SOURCE_ERROR',
  410: 'NOT_FOUND',
  425: 'SOURCE_ERROR',
  429: 'RATE_LIMITED',
  451: 'FORBIDDEN',
  503: 'UNAVAILABLE',
  999: 'SOURCE_ERROR',
};

/** The failure that a status stands for, if it is neither a success nor a redirect. `now` in milliseconds since the epoch. */
export function statusFailure(httpStatus: number, retryAfter: string | undefined, now: number): DownloadError {
  const code = CODES[httpStatus] ?? codeOfClass(httpStatus);
  const obeys = FAILURES[code].verdict !== 'final';
  const retryAt = obeys && retryAfter !== undefined ? parseRetryAfter(retryAfter, now) : undefined;
  return new DownloadError(code, `the source answered ${httpStatus}`, { httpStatus, retryAt });
}

function codeOfClass(status: number): FailureCode {
  if (status >= 500 && status < 600) return 'SOURCE_ERROR';
  if (status >= 400 && status < 500) return 'REFUSED';
  return 'UNEXPECTED_STATUS';
}

/** When a Retry-After says to come back: seconds or an HTTP date, from now to 11 hours ahead; `undefined` if it says nothing. */
function parseRetryAfter(value: string, now: number): number | undefined {
  const text = value.trim();
  // Only dates that name their zone: any other text that Date.parse makes something of is taken as local time.
  const at = /^\d+$/.test(text) ? now + Number(text) * 1000 : text.endsWith(' GMT') ? Date.parse(text) : NaN;
  return Number.isNaN(at) ? undefined : Math.min(Math.max(at, now), now + MAX_RETRY_AFTER_MS);
}
