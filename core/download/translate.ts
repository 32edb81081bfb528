import { DownloadError, FAILURES, type FailureCode } from '../model/failure.ts';
import { ObjectStoreError } from '../ports/object-store.ts';

/** What an attempt was doing when an error came: the same error of a socket means another thing in each. */
export type Phase = 'lookup' | 'connect' | 'headers' | 'body' | 'store';

/** What OpenSSL and Node's `tls` say of certificates and handshakes. */
const TLS_CODE =
  /^(CERT_|CRL_|ERR_TLS_|ERR_SSL_|UNABLE_TO_|ERROR_IN_C|SELF_SIGNED_|DEPTH_ZERO_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_|HOSTNAME_MISMATCH|EPROTO)/;
/** What the reader of responses says. */
const PARSER_CODE = 'HTTP_';
/** This process has no file descriptor left: no fault of the host's. */
const OUR_OWN: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE']);
const NO_SUCH_NAME: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA', 'ENONAME']);

/** An attempt's failure as a `DownloadError`, whatever threw it; one that is a `DownloadError` stays itself. Without a phase it is one that nobody foresaw. */
export function toDownloadError(error: unknown, phase?: Phase, httpStatus?: number): DownloadError {
  if (error instanceof DownloadError) return error;
  const detail = codeOf(error);
  const code = failureOf(error, detail, phase);
  return new DownloadError(code, FAILURES[code].meaning + more(error, detail), { cause: error, httpStatus });
}

/** The failure of a code, told by the code's own meaning. */
export function failure(code: FailureCode, httpStatus?: number): DownloadError {
  return new DownloadError(code, FAILURES[code].meaning, { httpStatus });
}

/** What a store says of its failure is for people; of any other error only the code is. */
function more(error: unknown, detail: string | undefined): string {
  if (error instanceof ObjectStoreError) return `: ${error.message}`;
  return detail === undefined ? '' : ` (${detail})`;
}

function failureOf(error: unknown, detail: string | undefined, phase: Phase | undefined): FailureCode {
  if (phase === 'store') {
    return error instanceof ObjectStoreError && error.code === 'KEY_CONFLICT' ? 'KEY_CONFLICT' : 'STORE_FAILED';
  }
  if (detail === undefined || phase === undefined || OUR_OWN.has(detail)) return 'INTERNAL';
  switch (phase) {
    case 'lookup':
      return NO_SUCH_NAME.has(detail) ? 'UNKNOWN_HOST' : 'DNS_FAILED';
    case 'connect':
      return TLS_CODE.test(detail) ? 'TLS_FAILED' : 'CONNECT_FAILED';
    case 'headers':
      if (detail.startsWith(PARSER_CODE)) return 'BAD_RESPONSE';
      return TLS_CODE.test(detail) ? 'TLS_FAILED' : 'CONNECTION_LOST';
    case 'body':
      return detail.startsWith(PARSER_CODE) ? 'TRUNCATED' : 'CONNECTION_LOST';
  }
}

/** The code of an error of Node's. */
export function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** Waits for a call to the store; what it fails of is a failure of the store's. */
export async function inStore<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw toDownloadError(error, 'store');
  }
}

/** Whether nothing can come of an upload any more. */
export function isUploadLost(error: unknown): boolean {
  const cause = error instanceof DownloadError ? error.cause : undefined;
  return cause instanceof ObjectStoreError && cause.code === 'UPLOAD_LOST';
}
