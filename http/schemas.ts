// Not `{ z }`, which brings 400 KB of messages in all languages into a bundle.
import * as z from 'zod';
import type { UserOptions } from '../core/batch/options.ts';
import { WAIT_CONDITIONS } from '../core/batch/wait.ts';
import { FAILURES, type FailureCode } from '../core/model/failure.ts';
import { MAX_NAME_LENGTH, MAX_WAIT_MS } from '../core/model/limits.ts';
import { CONTENT_TYPE_PATTERN, MAX_CONTENT_TYPES, OPTION_RANGES } from '../core/model/options.ts';
import { redactUrl } from '../core/model/redact.ts';
import { invalidRequest } from './problem.ts';
import type { FieldError } from './problem.ts';

interface Range {
  min: number;
  max: number;
}

const whole = ({ min, max }: Range) => z.int().min(min).max(max).exactOptional();
const real = ({ min, max }: Range) => z.number().min(min).max(max).exactOptional();

/** What a user may set for a batch; everything may be left out, nothing else may be there. */
export const optionsSchema = z.strictObject({
  prefix: z.string().exactOptional(),
  keyTemplate: z.string().exactOptional(),
  connectionsPerHost: whole(OPTION_RANGES.connectionsPerHost),
  requestsPerSecondPerHost: real(OPTION_RANGES.requestsPerSecondPerHost),
  deadlineSeconds: whole(OPTION_RANGES.deadlineSeconds),
  ifExists: z.enum(['skip', 'overwrite', 'refresh']).exactOptional(),
  contentTypes: z
    .array(z.string().regex(CONTENT_TYPE_PATTERN, 'a media type is wanted, as image/png or image/*'))
    .min(1)
    .max(MAX_CONTENT_TYPES)
    .exactOptional(),
  maxBytes: whole(OPTION_RANGES.maxBytes),
  maxTotalBytes: whole(OPTION_RANGES.maxTotalBytes),
  maxAttempts: whole(OPTION_RANGES.maxAttempts),
  maxRedirects: whole(OPTION_RANGES.maxRedirects),
  userAgent: z
    .string()
    .regex(/^[\x21-\x7e][\x20-\x7e]{0,255}$/, 'at most 256 characters of printable ASCII are wanted')
    .exactOptional(),
  timeouts: z
    .strictObject({
      connectMs: whole(OPTION_RANGES.connectMs),
      headersMs: whole(OPTION_RANGES.headersMs),
      idleMs: whole(OPTION_RANGES.idleMs),
    })
    .exactOptional(),
  lowSpeed: z
    .strictObject({
      bytesPerSecond: whole(OPTION_RANGES.lowSpeedBytesPerSecond),
      seconds: whole(OPTION_RANGES.lowSpeedSeconds),
    })
    .exactOptional(),
}) satisfies z.ZodType<UserOptions>;

const flag = z
  .enum(['true', 'false'])
  .transform((text) => text === 'true')
  .default(false);

const nameSchema = z.string().min(1).max(MAX_NAME_LENGTH).exactOptional();

/** The body of `POST /batches` as JSON. The entries are checked by the core, line by line. */
export const submissionSchema = z.strictObject({
  name: nameSchema,
  urls: z.array(z.unknown()),
  // The core's own rules for header names and values are applied by who reads the body.
  options: optionsSchema.extend({ headers: z.unknown().optional() }).exactOptional(),
});

/** What goes with a text list: name and options side by side in the query, as `readOptionsQuery` reads it. */
export const textSubmissionSchema = optionsSchema.extend({ name: nameSchema, dryRun: flag });

/** What goes with a JSON list in the query. */
export const submissionQuerySchema = z.strictObject({ dryRun: flag });

/** A whole number as it stands in a query. */
const numeral = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, `a whole number from ${min} to ${max} is wanted`)
    .transform(Number)
    .pipe(z.number().min(min).max(max));

/** The body of `POST /batches/{id}/resume`, which may be left out. */
export const resumeSchema = optionsSchema.pick({ maxTotalBytes: true });

/** The body of `POST /batches/{id}/retry`, which may be left out. */
export const retrySchema = z.strictObject({
  codes: z
    .array(z.enum(Object.keys(FAILURES) as FailureCode[]))
    .min(1)
    .exactOptional(),
  headers: z.unknown().optional(),
  name: nameSchema,
});

const DEFAULT_PAGE_SIZE = 100;
const MAX_PAGE_SIZE = 1000;

const pageSchema = z.strictObject({
  limit: numeral(1, MAX_PAGE_SIZE).default(DEFAULT_PAGE_SIZE),
  cursor: z.string().min(1).exactOptional(),
});

export const batchesQuerySchema = pageSchema.extend({ cursor: z.uuid().exactOptional() });
export const filesQuerySchema = pageSchema.extend({
  state: z.enum(['done', 'failed', 'skipped']).exactOptional(),
  links: flag,
});

const MAX_WAIT_SECONDS = MAX_WAIT_MS / 1000;
const DEFAULT_WAIT_SECONDS = 20;
/** Entries of the largest batch. */
const MAX_SETTLED = 10_000_000;

export const waitQuerySchema = z.strictObject({
  returnWhen: z.enum(WAIT_CONDITIONS).default('ALL_COMPLETED'),
  settledAtLeast: numeral(1, MAX_SETTLED).exactOptional(),
  timeoutSeconds: numeral(0, MAX_WAIT_SECONDS).default(DEFAULT_WAIT_SECONDS),
});

export const noQuerySchema = z.strictObject({});

/** The value, if the schema takes it. Errors: `Problem`, naming every field that is wrong. */
export function check<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw invalidRequest(result.error.issues.flatMap((issue) => fieldErrors(issue, value)));
}

function fieldErrors(issue: z.core.$ZodIssue, input: unknown): FieldError[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ field: fieldName([...issue.path, key]), reason: 'not known here' }));
  }
  return [{ field: fieldName(issue.path), value: found(issue.path, input), reason: issue.message }];
}

function fieldName(path: readonly PropertyKey[]): string {
  return redactUrl(path.map(String).join('.'));
}

/** What stands at a path, if it is a scalar and no secret: headers and URLs are not repeated. */
function found(path: readonly PropertyKey[], input: unknown): string | undefined {
  if (path.includes('headers') || path.includes('urls')) return undefined;
  let value = input;
  for (const key of path) value = (value as Partial<Record<PropertyKey, unknown>> | undefined)?.[key];
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? redactUrl(String(value))
    : undefined;
}
