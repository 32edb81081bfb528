/** What a message broke of HTTP's rules, or that its connection was closed before its end. */
export type HttpErrorCode =
  | 'HTTP_BAD_STATUS_LINE'
  | 'HTTP_BAD_HEADER'
  | 'HTTP_BAD_LENGTH'
  | 'HTTP_BAD_CHUNK'
  | 'HTTP_HEADERS_TOO_LARGE'
  | 'HTTP_CLOSED';

/** A response that is none, or not a whole one. */
export class HttpError extends Error {
  readonly code: HttpErrorCode;

  constructor(code: HttpErrorCode) {
    super(`The response broke HTTP's rules, or ended too early (${code}).`);
    this.name = 'HttpError';
    this.code = code;
  }
}
