import type { FailureCode } from './failure.ts';

/** One URL of a batch with its own settings. */
export interface Entry {
  /** Its line in the user's list, from 1. */
  index: number;
  /** http or https, in WHATWG's canonical form, without credentials or fragment. */
  url: string;
  /** Where the file goes, below the batch's prefix. */
  key: string;
  /** Request headers of this entry alone. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** Bytes that the file must have. */
  size?: number | undefined;
  /** Digests that the file must have, lower-case hex. */
  md5?: string | undefined;
  sha256?: string | undefined;
  /** Why it fails without an attempt: what the list says of it cannot be used. Its URL need not be one then. */
  invalid?: { code: FailureCode; message: string } | undefined;
}

/** The source host of an entry; those that fail without an attempt are as entries of one host without a name. */
export function sourceOf({ url, invalid }: Pick<Entry, 'url' | 'invalid'>): string {
  return invalid ? '' : hostOf(url);
}

/** The source host of a canonical http or https URL: scheme, host and port, as in `http://127.0.0.1:8080`. */
export function hostOf(url: string): string {
  return url.slice(0, url.indexOf('/', url.indexOf('//') + 2));
}
