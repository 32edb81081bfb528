/**
 * Whose failure it is, and what follows: `final`, the entry fails at once; `retry`, the entry is tried again;
 * `host`, the source host is parked and probed, its entries wait and are not charged.
 */
export type Verdict = 'final' | 'retry' | 'host';

interface Failure {
  verdict: Verdict;
  meaning: string;
}

/** Every way in which an entry can fail. Codes are stable: users select by them. docs/failures.md explains each. */
export const FAILURES = {
  INVALID_ENTRY: { verdict: 'final', meaning: 'the list says something of the entry that cannot be used' },
  INVALID_URL: { verdict: 'final', meaning: 'the URL cannot be requested' },
  UNKNOWN_HOST: { verdict: 'final', meaning: 'the host name does not exist' },
  DNS_FAILED: { verdict: 'host', meaning: 'the host name could not be looked up for now' },
  BLOCKED_ADDRESS: { verdict: 'final', meaning: 'the host is not at a public address' },
  CONNECT_FAILED: { verdict: 'host', meaning: 'the host did not accept a connection' },
  CONNECT_TIMEOUT: { verdict: 'host', meaning: 'the host did not complete a connection in time' },
  TLS_FAILED: { verdict: 'final', meaning: 'the host did not prove its identity' },
  RATE_LIMITED: { verdict: 'host', meaning: 'the host asked for fewer requests (429)' },
  UNAVAILABLE: { verdict: 'host', meaning: 'the host is unavailable for now (503)' },
  HOST_DOWN: { verdict: 'final', meaning: 'the host was given up after failed probes' },
  HEADERS_TIMEOUT: { verdict: 'retry', meaning: 'the response did not begin in time' },
  CONNECTION_LOST: { verdict: 'retry', meaning: 'the connection broke' },
  BAD_RESPONSE: { verdict: 'final', meaning: 'the answer was not valid HTTP' },
  SOURCE_ERROR: { verdict: 'retry', meaning: 'the source failed (408, 425, 5xx)' },
  NOT_FOUND: { verdict: 'final', meaning: 'the file is not there (404, 410)' },
  FORBIDDEN: { verdict: 'final', meaning: 'access is refused (401, 403, 407, 451)' },
  REFUSED: { verdict: 'final', meaning: 'the source refused the request (any other 4xx)' },
  UNEXPECTED_STATUS: { verdict: 'final', meaning: 'the status is none that a download can use' },
  BAD_REDIRECT: { verdict: 'final', meaning: 'the redirect names no URL that can be requested' },
  REDIRECT_LOOP: { verdict: 'final', meaning: 'the redirects lead back to where they came from' },
  TOO_MANY_REDIRECTS: { verdict: 'final', meaning: 'there were more redirects than allowed' },
  INSECURE_REDIRECT: { verdict: 'final', meaning: 'a redirect leads from https to http' },
  UNWANTED_TYPE: { verdict: 'final', meaning: 'the file has none of the wanted types' },
  SOURCE_CHANGED: { verdict: 'final', meaning: 'the file changed again and again while it was fetched' },
  TRUNCATED: { verdict: 'retry', meaning: 'the body ended before it was whole' },
  IDLE_TIMEOUT: { verdict: 'retry', meaning: 'no byte came for too long' },
  TOO_SLOW: { verdict: 'retry', meaning: 'the body came slower than the lowest speed' },
  TOO_LARGE: { verdict: 'final', meaning: 'the file is larger than maxBytes' },
  SIZE_MISMATCH: { verdict: 'final', meaning: 'the file has not the size that was given' },
  DIGEST_MISMATCH: { verdict: 'final', meaning: 'the file has not the digest that was given' },
  KEY_CONFLICT: { verdict: 'final', meaning: 'the object store cannot keep this key' },
  STORE_FAILED: { verdict: 'retry', meaning: 'the object store failed' },
  CRASHED: { verdict: 'final', meaning: 'workers died of this entry' },
  DEADLINE: { verdict: 'final', meaning: "the batch's deadline has passed" },
  INTERNAL: { verdict: 'retry', meaning: 'an error that Downburst did not foresee' },
} as const satisfies Record<string, Failure>;

export type FailureCode = keyof typeof FAILURES;

/** Why an attempt at an entry failed. The message never holds a URL's query or a header's value. */
export class DownloadError extends Error {
  readonly code: FailureCode;
  readonly httpStatus: number | undefined;
  /** When the source said to come back, in milliseconds since the epoch. */
  readonly retryAt: number | undefined;

  constructor(
    code: FailureCode,
    message: string,
    options: ErrorOptions & { httpStatus?: number | undefined; retryAt?: number | undefined } = {},
  ) {
    super(message, options);
    this.name = 'DownloadError';
    this.code = code;
    this.httpStatus = options.httpStatus;
    this.retryAt = options.retryAt;
  }
}
