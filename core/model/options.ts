/** What holds for all entries of a batch, defaults filled in. Request headers are not here: they are secrets. */
export interface BatchOptions {
  /** Put before every key; `{batchId}/` unless the user gave one. */
  prefix: string;
  /** Whether the prefix is this batch's own, so that nothing can be there before it. */
  ownPrefix: boolean;
  keyTemplate?: string | undefined;
  /** Requests of the batch that may be open to one host at once, over all workers. */
  connectionsPerHost: number;
  /** Of these, how many one large file may have, as far as nobody else needs them. */
  connectionsPerFile: number;
  /** Requests begun per second and host, over all workers. */
  requestsPerSecondPerHost?: number | undefined;
  /** Seconds from submission until what is left fails as `DEADLINE`. */
  deadlineSeconds: number;
  /**
   * What becomes of an entry whose key is taken by an object that is not the entry's own; `refresh` replaces it if the
   * source has another version.
   */
  ifExists: 'skip' | 'overwrite' | 'refresh';
  /** Media types that are stored, as `image/png` or `image/*`; all if left out. */
  contentTypes?: readonly string[] | undefined;
  /** What becomes of a list with entries that cannot be used: nothing is started, or these fail and the others go on. */
  invalidEntries: 'reject' | 'fail';
  /** Bytes of the largest file that is stored. */
  maxBytes: number;
  /** Bytes of all files together; a batch that has stored more is paused. */
  maxTotalBytes?: number | undefined;
  /** Attempts per entry, and failed probes in a row per host (four times as many where they are answered by 429). */
  maxAttempts: number;
  maxRedirects: number;
  userAgent: string;
  timeouts: Timeouts;
  lowSpeed: { bytesPerSecond: number; seconds: number };
}

/** Options as users see them, and can send them again. */
export type PublicOptions = Omit<BatchOptions, 'ownPrefix'> & { ownPrefix?: undefined };

/** Leaves out what is internal. */
export function publicOptions(options: BatchOptions): PublicOptions {
  return { ...options, ownPrefix: undefined };
}

export interface Timeouts {
  /** Name look-up, TCP and TLS together, per hop. */
  connectMs: number;
  /** From the request sent to the last byte of the response's headers. */
  headersMs: number;
  /** Between two reads of the body. */
  idleMs: number;
}

/** Patterns of `contentTypes`; more would be a list of files, not of kinds. */
export const MAX_CONTENT_TYPES = 32;
/** Such a pattern: names of at most 127 characters (RFC 6838, section 4.2). */
export const CONTENT_TYPE_PATTERN = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/(\*|[a-z0-9][a-z0-9!#$&^_.+-]{0,126})$/i;

const GIB = 1024 ** 3;
const DAY_SECONDS = 24 * 60 * 60;

/** The smallest and largest value of every number that a user may set. */
export const OPTION_RANGES = {
  connectionsPerHost: { min: 1, max: 256 },
  connectionsPerFile: { min: 1, max: 256 },
  requestsPerSecondPerHost: { min: 0.01, max: 10_000 },
  deadlineSeconds: { min: 60, max: 60 * DAY_SECONDS },
  maxBytes: { min: 0, max: 50 * 1024 * GIB },
  maxTotalBytes: { min: 1, max: 1024 * 1024 * GIB },
  maxAttempts: { min: 1, max: 20 },
  maxRedirects: { min: 0, max: 30 },
  connectMs: { min: 100, max: 120_000 },
  headersMs: { min: 100, max: 600_000 },
  idleMs: { min: 100, max: 600_000 },
  lowSpeedBytesPerSecond: { min: 0, max: GIB },
  lowSpeedSeconds: { min: 1, max: 3600 },
} as const;

export const DEFAULT_OPTIONS = {
  /** What a browser opens to one host is 6; a host that cannot bear 16 says so, and the turn then halves. */
  connectionsPerHost: 16,
  /** As many as a host gets; what bounds it is what others leave. */
  connectionsPerFile: 16,
  deadlineSeconds: 7 * DAY_SECONDS,
  ifExists: 'skip',
  invalidEntries: 'reject',
  /** A guard against a surprising bill, not a limit of the machinery. */
  maxBytes: 50 * GIB,
  maxAttempts: 6,
  maxRedirects: 10,
  userAgent: 'Downburst/0.1',
  timeouts: { connectMs: 10_000, headersMs: 30_000, idleMs: 30_000 },
  lowSpeed: { bytesPerSecond: 1024, seconds: 60 },
} as const satisfies Omit<BatchOptions, 'prefix' | 'ownPrefix'>;
