import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type {
  BatchItemDocument,
  DryRunDocument,
  FileDocument,
  ListDocument,
  StatusDocument,
} from '../http/documents.ts';
import { isProblem, ProblemError } from '../http/problem-error.ts';
import { MAX_INLINE_LIST_BYTES } from '../core/model/limits.ts';
import type { BatchWishes } from './batch-options.ts';
import type { Connection } from './connection.ts';
import { UnreachableError, UsageError } from './exit.ts';
import type { List } from './list.ts';

/** How often a request is made again that a service which was there before does not answer, or is too busy for. */
const RETRIES = 6;
const FIRST_PAUSE_MS = 500;
const MAX_PAUSE_MS = 10_000;
/** A service's wish to be asked later is heeded up to here. */
const MAX_RETRY_AFTER_MS = 60_000;
const BUSY = [429, 500, 502, 503, 504];

export interface Submission extends BatchWishes {
  list: List;
  name?: string | undefined;
}

export interface FilesPage {
  files: FileDocument[];
  nextCursor?: string | undefined;
}

export interface BatchesPage {
  batches: BatchItemDocument[];
  nextCursor?: string | undefined;
}

export type Verb = 'cancel' | 'pause' | 'resume';

/** The API (docs/api.md). Errors of all calls: `ProblemError`, `UnreachableError`; the signal's reason. */
export interface Client {
  /** Starts a batch; a list too large for a body, or with request headers, is uploaded first. */
  submit: (submission: Submission) => Promise<StatusDocument>;
  dryRun: (submission: Submission) => Promise<DryRunDocument>;
  status: (id: string) => Promise<StatusDocument>;
  /** Answers when a batch is closed, or when the service will not wait any longer. */
  wait: (id: string) => Promise<StatusDocument>;
  batches: (query: { limit: number; cursor?: string | undefined }) => Promise<BatchesPage>;
  files: (
    id: string,
    query: { state?: FileDocument['state'] | undefined; links?: boolean; limit: number; cursor?: string | undefined },
  ) => Promise<FilesPage>;
  control: (id: string, verb: Verb, body?: { maxTotalBytes?: number }) => Promise<StatusDocument>;
  retry: (id: string, body: { codes?: string[]; headers?: object; name?: string }) => Promise<StatusDocument>;
  remove: (id: string) => Promise<void>;
}

export function createClient({ base, fetch: send }: Connection, signal?: AbortSignal): Client {
  /** Whether it has answered before: one that never did will not do so in a minute. */
  let wasThere = false;

  /** An answer that is none of trouble, with its body. */
  async function call(make: () => Request, via = send): Promise<Heard> {
    for (let tries = 1; ; tries++) {
      const request = make();
      const heard = await hear(via(request)).catch((error: unknown) => {
        signal?.throwIfAborted();
        if (error instanceof UsageError) throw error;
        return error instanceof Error ? error : new Error(String(error));
      });
      const isThere = !(heard instanceof Error);
      wasThere ||= isThere;
      if (isThere && heard.answer.ok) return heard;
      const trouble = isThere ? troubleOf(heard) : unreachable(request, heard);
      const again = wasThere && tries <= RETRIES && (!isThere || mayHelp(heard.answer, trouble));
      if (!again) throw trouble;
      await setTimeout(pauseMs(isThere ? heard.answer : undefined, tries), undefined, { signal });
    }
  }

  const make = (method: string, path: string, init: RequestInit = {}) => {
    const url = URL.parse(path, `${base}/`) ?? base;
    return new Request(path.startsWith('/') ? base + path : url, { method, ...init, ...(signal && { signal }) });
  };

  async function ask<T>(method: string, path: string, init?: RequestInit): Promise<T> {
    const { answer, text } = await call(() => make(method, path, init));
    const document = parse(text);
    if (typeof document === 'object' && document !== null) return document as T;
    throw new UnreachableError(
      `What answers at ${new URL(answer.url).origin} is no Downburst; see whether --api is right.`,
    );
  }

  const json = (body: object, headers: Record<string, string> = {}): RequestInit => ({
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

  /** What a batch is started with: a list in a body, or one that is uploaded by this. */
  async function bodyOf({ list, name, options, headers }: Submission): Promise<{ path: string; init: RequestInit }> {
    const named = name !== undefined && { name };
    if (list.bytes <= MAX_INLINE_LIST_BYTES && Object.keys(headers).length === 0) {
      const query = queryOf({ ...named, format: list.format, ...options });
      return { path: `/batches${query}`, init: { headers: { 'content-type': 'text/plain' }, body: list.blob } };
    }
    const { bytes, format } = list;
    const { listId, upload } = await ask<ListDocument>('POST', '/lists', json({ bytes, format }));
    const put = () => make(upload.method, upload.url, { headers: upload.headers, body: list.blob });
    // A link to a store is signed already, and takes no other credentials.
    await call(put, new URL(upload.url).origin === new URL(base).origin ? send : fetch);
    return { path: '/batches', init: json({ listId, ...named, options: { ...options, headers } }) };
  }

  return {
    async submit(submission) {
      const { path, init } = await bodyOf(submission);
      const headers = { ...(init.headers as Record<string, string>), 'idempotency-key': randomUUID() };
      return ask('POST', path, { ...init, headers });
    },
    async dryRun({ list, name, options }) {
      const query = queryOf({ ...(name !== undefined && { name }), format: list.format, ...options, dryRun: true });
      return ask('POST', `/batches${query}`, { headers: { 'content-type': 'text/plain' }, body: list.blob });
    },
    status: (id) => ask('GET', pathOf(id)),
    wait: (id) => ask('GET', `${pathOf(id)}/wait?timeoutSeconds=20`),
    batches: (query) => ask('GET', `/batches${queryOf(query)}`),
    files: (id, query) => ask('GET', `${pathOf(id)}/files${queryOf(query)}`),
    control: (id, verb, body) => ask('POST', `${pathOf(id)}/${verb}`, body && json(body)),
    retry: (id, body) => ask('POST', `${pathOf(id)}/retry`, json(body, { 'idempotency-key': randomUUID() })),
    async remove(id) {
      await call(() => make('DELETE', pathOf(id)));
    },
  };
}

function pathOf(id: string): string {
  return `/batches/${encodeURIComponent(id)}`;
}

/** Parameters by the alphabet, groups as `timeouts.idleMs`, lists with commas, what is undefined left out. */
function queryOf(values: object): string {
  const flat = (values: object, group: string): [string, string][] =>
    Object.entries(values).flatMap(([name, value]: [string, unknown]) => {
      if (value === undefined) return [];
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) return flat(value, `${group}${name}.`);
      return [[group + name, (value as string | number | boolean | readonly string[]).toString()]];
    });
  const parameters = new URLSearchParams(flat(values, ''));
  parameters.sort();
  return parameters.size === 0 ? '' : `?${parameters.toString()}`;
}

/** An answer that has come to its end. */
interface Heard {
  answer: Response;
  text: string;
}

async function hear(answering: Promise<Response>): Promise<Heard> {
  const answer = await answering;
  return { answer, text: await answer.text() };
}

/** The error that an answer amounts to. */
function troubleOf({ answer, text }: Heard): ProblemError | UnreachableError {
  const body = parse(text);
  if (isProblem(body)) return new ProblemError(body);
  const { origin } = new URL(answer.url);
  const said = typeof body === 'object' && body !== null && 'message' in body ? `: ${String(body.message)}` : '';
  const advice =
    answer.status === 401 || answer.status === 403
      ? '; see whether the credentials, or --token, may call this API'
      : '; see whether --api is right';
  return new UnreachableError(`${origin} answered ${answer.status}${said}${advice}.`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unreachable(request: Request, error: Error): UnreachableError {
  const cause = error.cause instanceof Error ? error.cause : error;
  const reason = 'code' in cause ? String(cause.code) : cause.message;
  const { origin, hostname } = new URL(request.url);
  const start = hostname === '127.0.0.1' || hostname === 'localhost';
  const advice = start ? 'start it with: downburst serve' : 'see whether --api is right';
  return new UnreachableError(`No service answers at ${origin} (${reason}); ${advice}`, { cause: error });
}

/** Whether the same request may fare better soon. */
function mayHelp(answer: Response, trouble: ProblemError | UnreachableError): boolean {
  if (!(trouble instanceof ProblemError)) return BUSY.includes(answer.status);
  return ['internal', 'idempotency-key-in-use'].some((type) => trouble.problem.type.endsWith(`:${type}`));
}

function pauseMs(answer: Response | undefined, tries: number): number {
  const wished = 1000 * Number(answer?.headers.get('retry-after') ?? NaN);
  if (wished >= 0) return Math.min(wished, MAX_RETRY_AFTER_MS);
  return Math.random() * Math.min(FIRST_PAUSE_MS * 2 ** tries, MAX_PAUSE_MS);
}
