import { isProblem, ProblemError } from '../../http/problem-error.ts';
import type { ProblemDocument } from '../../http/problem.ts';

/** Nobody knows whether the request was heard: no answer came, or none that means anything. It may be sent again. */
export class AwayError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'AwayError';
  }
}

/** A path of the API, `/batches/…`, where this page reaches it: beside the page, which may lie below another path. */
export function urlOf(path: string): URL {
  return new URL(path.replace(/^\//, ''), document.baseURI);
}

/** Sends a request. Errors: `ProblemError`, `AwayError`; an `AbortError` for who aborted. */
export async function send(path: string, init: RequestInit = {}): Promise<Response> {
  const response = await fetch(urlOf(path), init).catch((error: unknown) => {
    if (init.signal?.aborted) throw error;
    throw new AwayError('The service does not answer.', { cause: error });
  });
  if (response.ok) return response;
  throw await refusalOf(response);
}

/** What an answer that is none of success says. */
async function refusalOf(response: Response): Promise<ProblemError | AwayError> {
  const { status } = response;
  const body = (await response.json().catch(() => undefined)) as Partial<ProblemDocument> | undefined;
  if (isProblem(body) && status < 500) return new ProblemError(body);
  // A gateway's own answer, or a service that failed: what was asked for may be done, or be there, in a while.
  const advice = status === 401 || status === 403 ? ': see whether your credentials may call it' : '';
  return new AwayError(body?.detail ?? `The service answers ${status}${advice}.`);
}

export interface Answer<T> {
  body: T;
  /** When to ask again, in seconds; absent where nothing will change any more. */
  retryAfterSeconds?: number;
}

/** Reads a document of the API. Errors: as `send`. */
export async function read<T>(path: string, signal: AbortSignal): Promise<Answer<T>> {
  const response = await send(path, { signal });
  const body = (await response.json().catch((error: unknown) => {
    if (signal.aborted) throw error;
    throw new AwayError('The answer broke off.', { cause: error });
  })) as T;
  const retryAfter = response.headers.get('retry-after');
  return retryAfter === null ? { body } : { body, retryAfterSeconds: Number(retryAfter) };
}

/** POSTs a document, or nothing, and answers with the one that comes back. Errors: as `send`. */
export async function post<T>(path: string, body?: unknown, headers: Record<string, string> = {}): Promise<T> {
  const json = body !== undefined && { 'content-type': 'application/json' };
  const text = body === undefined ? null : JSON.stringify(body);
  const response = await send(path, { method: 'POST', headers: { ...json, ...headers }, body: text });
  return (await response.json()) as T;
}
