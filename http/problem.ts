import type { ContentfulStatusCode } from 'hono/utils/http-status';
import {
  BatchStateError,
  InvalidListError,
  InvalidOptionError,
  KeyInUseError,
  KeyReusedError,
  TooManyBatchesError,
  UnknownBatchError,
  UnknownListError,
} from '../core/model/errors.ts';
import { shorten } from '../core/model/redact.ts';

/** Every kind of error answer: its stable name, status and title. docs/api.md explains each. */
export const PROBLEMS = {
  'invalid-json': { status: 400, title: 'The body is not valid JSON' },
  'foreign-request': { status: 403, title: 'The request comes from another site' },
  'unknown-route': { status: 404, title: 'There is nothing at this path' },
  'unknown-batch': { status: 404, title: 'There is no such batch' },
  'unknown-file': { status: 404, title: 'There is no such file' },
  'unknown-list': { status: 404, title: 'There is no such list' },
  'method-not-allowed': { status: 405, title: 'This path does not take this method' },
  'not-acceptable': { status: 406, title: 'There is no answer in a format that the client takes' },
  'batch-state': { status: 409, title: "The batch's state does not allow it" },
  'idempotency-key-in-use': { status: 409, title: 'The first request with this key is still in progress' },
  'body-too-large': { status: 413, title: 'The body is too large' },
  'list-too-large': { status: 413, title: 'The list is too large' },
  'unsupported-media-type': { status: 415, title: 'The body is of a type that is not accepted here' },
  'unsupported-encoding': { status: 415, title: 'The body is encoded in a way that is not accepted here' },
  'invalid-request': { status: 422, title: 'The request cannot be used as it is' },
  'idempotency-key-reused': { status: 422, title: 'The key belongs to another request' },
  'invalid-list': { status: 422, title: 'The list cannot be used as it is' },
  'too-many-batches': { status: 429, title: 'Too many batches are open' },
  internal: { status: 500, title: 'Something went wrong inside Downburst' },
} as const satisfies Record<string, { status: ContentfulStatusCode; title: string }>;

export type ProblemType = keyof typeof PROBLEMS;

/** One thing that is wrong with a request. */
export interface FieldError {
  /** Of the list, from 1, and where in that line; only for entries of a list. */
  line?: number | undefined;
  column?: number | undefined;
  /** `urls`, `options.timeouts.idleMs`, `limit`, …; of an entry `url`, `key`, …; empty where the whole is wrong. */
  field: string;
  /** What was found, shortened; left out where it may be a secret. */
  value?: string | undefined;
  reason: string;
}

/** An error answer by RFC 9457, as JSON. */
export interface ProblemDocument {
  type: `urn:downburst:problem:${ProblemType}`;
  title: string;
  status: number;
  detail: string;
  errors?: readonly FieldError[] | undefined;
}

/** How soon a request may be sent again that came too early, in seconds: starting a batch takes about as long. */
const KEY_IN_USE_SECONDS = 2;
/** How soon there may be room for another batch, in seconds. */
const TOO_MANY_BATCHES_SECONDS = 60;

/** How many wrong fields one answer names. */
const MAX_FIELD_ERRORS = 100;

/** Thrown by a handler to answer with a problem. */
export class Problem extends Error {
  readonly type: ProblemType;
  readonly errors: readonly FieldError[] | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    type: ProblemType,
    detail: string,
    more: ErrorOptions & { errors?: readonly FieldError[]; headers?: Record<string, string> } = {},
  ) {
    super(detail, more);
    this.name = 'Problem';
    this.type = type;
    this.errors = more.errors;
    this.headers = more.headers ?? {};
  }
}

/** A problem as JSON. */
export function problemDocument({ type, message: detail, errors }: Problem): ProblemDocument {
  const { status, title } = PROBLEMS[type];
  return { type: `urn:downburst:problem:${type}`, title, status, detail, errors };
}

/** The answer to a problem. */
export function problemResponse(problem: Problem): Response {
  const headers = { ...problem.headers, 'content-type': 'application/problem+json' };
  return new Response(JSON.stringify(problemDocument(problem)), { status: PROBLEMS[problem.type].status, headers });
}

/** What is wrong with a list. */
export function listProblem({ message, problems }: Pick<InvalidListError, 'message' | 'problems'>): Problem {
  return new Problem('invalid-list', message, { errors: problems });
}

/** The problem that an error of the core amounts to; `undefined` for one that nobody foresaw. */
export function asProblem(error: unknown): Problem | undefined {
  if (error instanceof Problem) return error;
  if (error instanceof UnknownBatchError) return new Problem('unknown-batch', error.message, { cause: error });
  if (error instanceof UnknownListError) return new Problem('unknown-list', error.message, { cause: error });
  if (error instanceof BatchStateError) return new Problem('batch-state', error.message, { cause: error });
  if (error instanceof KeyReusedError) {
    return new Problem('idempotency-key-reused', error.message, {
      cause: error,
      errors: [{ field: 'Idempotency-Key', reason: 'was sent before, with another request' }],
    });
  }
  if (error instanceof KeyInUseError) {
    const headers = { 'retry-after': String(KEY_IN_USE_SECONDS) };
    return new Problem('idempotency-key-in-use', error.message, { cause: error, headers });
  }
  if (error instanceof TooManyBatchesError) {
    const headers = { 'retry-after': String(TOO_MANY_BATCHES_SECONDS) };
    return new Problem('too-many-batches', error.message, { cause: error, headers });
  }
  if (error instanceof InvalidListError) {
    return listProblem(error);
  }
  if (error instanceof InvalidOptionError) {
    return invalidRequest([{ field: error.option, reason: error.reason }], error);
  }
  return undefined;
}

/** What is wrong with a request, field by field. */
export function invalidRequest(errors: readonly FieldError[], cause?: unknown): Problem {
  const named = errors.map(({ field }) => field || 'the body').join(', ');
  const told = errors.slice(0, MAX_FIELD_ERRORS);
  return new Problem('invalid-request', `Wrong or not known here: ${shorten(named)}`, { cause, errors: told });
}
