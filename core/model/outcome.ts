import type { FailureCode } from './failure.ts';

/**
 * How an entry ended; final. Entries that a cancel found without an outcome are counted as cancelled and not listed.
 * Fields that do not apply are left out.
 */
export interface Outcome {
  index: number;
  url: string;
  key: string;
  state: 'done' | 'skipped' | 'failed';
  /** Bytes stored. */
  bytes?: number | undefined;
  sha256?: string | undefined;
  contentType?: string | undefined;
  /** Of the last response. */
  httpStatus?: number | undefined;
  code?: FailureCode | undefined;
  message?: string | undefined;
  /** Attempts that were begun for this entry, charged or not; what one asks for in a row is not counted apart. */
  attempts: number;
  /** `false` where the source's framing could not prove that the body was whole (it ended by closing). */
  lengthVerified?: boolean | undefined;
  /** Milliseconds since the epoch. */
  settledAt: number;
}

/** What a list of failed entries says of one besides its URL and key; passed over when the list is posted again. */
export const FAILURE_FIELDS = [
  'index',
  'state',
  'code',
  'message',
  'httpStatus',
  'attempts',
  'settledAt',
] as const satisfies (keyof Outcome)[];
