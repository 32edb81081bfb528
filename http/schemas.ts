// Not `{ z }`, which brings 400 KB of messages in all languages into a bundle.
import * as z from 'zod';
import type { UserOptions } from '../core/batch/options.ts';
import { WAIT_CONDITIONS } from '../core/batch/wait.ts';
import { FAILURES, type FailureCode } from '../core/model/failure.ts';
import { MAX_NAME_LENGTH, MAX_WAIT_MS } from '../core/model/limits.ts';
import { LIST_FORMATS } from '../core/model/list-format.ts';
import { CONTENT_TYPE_PATTERN, MAX_CONTENT_TYPES, OPTION_RANGES } from '../core/model/options.ts';
import { redactUrl } from '../core/model/redact.ts';
import { invalidRequest } from './problem.ts';
import type { FieldError } from './problem.ts';

interface Range {
  min: number;
  max: number;
}

const whole = ({ min, max }: Range, description: string) =>
  z.int().min(min).max(max).exactOptional().meta({ description });
const real = ({ min, max }: Range, description: string) =>
  z.number().min(min).max(max).exactOptional().meta({ description });
const text = (description: string) => z.string().exactOptional().meta({ description });

/** What a user may set for a batch; everything may be left out, nothing else may be there. */
export const optionsSchema = z.strictObject({
  prefix: text('Put before every key: folders, each with its slash; the id of the batch if left out'),
  keyTemplate: text('Makes the keys: {host} {path} {name} {stem} {ext} {index} {hash}'),
  connectionsPerHost: whole(OPTION_RANGES.connectionsPerHost, 'Requests that may be open to one host at once'),
  connectionsPerFile: whole(OPTION_RANGES.connectionsPerFile, 'Of these, how many one large file may have'),
  requestsPerSecondPerHost: real(OPTION_RANGES.requestsPerSecondPerHost, 'Requests begun per second and host'),
  deadlineSeconds: whole(OPTION_RANGES.deadlineSeconds, 'What is left then fails as DEADLINE'),
  ifExists: z
    .enum(['skip', 'overwrite', 'refresh'])
    .exactOptional()
    .meta({ description: 'A file that is there already' }),
  contentTypes: z
    .array(z.string().regex(CONTENT_TYPE_PATTERN, 'a media type is wanted, as image/png or image/*'))
    .min(1)
    .max(MAX_CONTENT_TYPES)
    .exactOptional()
    .meta({ description: 'Media types; files of others fail' }),
  invalidEntries: z
    .enum(['reject', 'fail'])
    .exactOptional()
    .meta({ description: 'What becomes of entries that cannot be used' }),
  maxBytes: whole(OPTION_RANGES.maxBytes, 'Of the largest file that is stored'),
  maxTotalBytes: whole(OPTION_RANGES.maxTotalBytes, 'Of all files together; the batch then pauses'),
  maxAttempts: whole(OPTION_RANGES.maxAttempts, 'Per entry, and failed probes in a row per host'),
  maxRedirects: whole(OPTION_RANGES.maxRedirects, 'Followed per request'),
  userAgent: z
    .string()
    .regex(/^[\x21-\x7e][\x20-\x7e]{0,255}$/, 'at most 256 characters of printable ASCII are wanted')
    .exactOptional()
    .meta({ description: 'The request header User-Agent' }),
  timeouts: z
    .strictObject({
      connectMs: whole(OPTION_RANGES.connectMs, 'Name look-up, TCP and TLS together'),
      headersMs: whole(OPTION_RANGES.headersMs, "Until the response's headers are there"),
      idleMs: whole(OPTION_RANGES.idleMs, 'Between two reads of the body'),
    })
    .exactOptional(),
  lowSpeed: z
    .strictObject({
      bytesPerSecond: whole(OPTION_RANGES.lowSpeedBytesPerSecond, 'Slower than this …'),
      seconds: whole(OPTION_RANGES.lowSpeedSeconds, '… for so long is given up and tried again'),
    })
    .exactOptional(),
}) satisfies z.ZodType<UserOptions>;

/** A parameter that is `true` or `false`, which it is if left out. */
const flag = (description: string) =>
  z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .default(false)
    .meta({ description });

const dryRun = flag('Checks and plans the list, and starts nothing');

const nameSchema = z.string().min(1).max(MAX_NAME_LENGTH).exactOptional();

/** Checked by the core, line by line; what it takes is described by `entrySchema`. */
export const listedEntry = z.unknown();
/** Checked by the core, too; described by `headersSchema`. */
export const givenHeaders = z.unknown();

const formatSchema = z.enum(LIST_FORMATS).exactOptional();

const wishesSchema = z.strictObject({
  name: nameSchema,
  // The core's own rules for header names and values are applied by who reads the body.
  options: optionsSchema.extend({ headers: givenHeaders.optional() }).exactOptional(),
});

/** What a JSON body says besides the list. */
export type WishesBody = z.infer<typeof wishesSchema>;

/** The body of `POST /batches` as JSON. */
export const submissionSchema = wishesSchema.extend({
  urls: z.array(listedEntry).meta({ description: 'At least one' }),
});

/** The same for a list that was uploaded. */
export const listSubmissionSchema = wishesSchema.extend({ listId: z.uuid(), format: formatSchema });

/** What goes with a list in any other format: name, format and options side by side in the query. */
export const querySubmissionSchema = optionsSchema.extend({ name: nameSchema, format: formatSchema, dryRun });

/** What goes with a JSON body in the query. */
export const submissionQuerySchema = z.strictObject({ dryRun });

/** The body of `POST /lists`. */
export const listSchema = z.strictObject({
  bytes: z.int().min(1),
  format: formatSchema,
  name: z.string().min(1).max(MAX_NAME_LENGTH).exactOptional(),
});

/** A whole number as it stands in a query. */
const numeral = (min: number, max: number, description: string) =>
  z
    .string()
    .regex(/^\d{1,9}$/, `a whole number from ${min} to ${max} is wanted`)
    .transform(Number)
    .pipe(z.number().min(min).max(max))
    .meta({ type: 'integer', minimum: min, maximum: max, description });

/** The body of `POST /batches/{id}/resume`, which may be left out. */
export const resumeSchema = optionsSchema.pick({ maxTotalBytes: true });

/** The body of `POST /batches/{id}/retry`, which may be left out. */
export const retrySchema = z.strictObject({
  codes: z
    .array(z.enum(Object.keys(FAILURES) as FailureCode[]))
    .min(1)
    .exactOptional()
    .meta({ description: 'Only entries that failed so; all if left out' }),
  headers: givenHeaders.optional(),
  name: nameSchema,
});

const DEFAULT_PAGE_SIZE = 100;
const MAX_PAGE_SIZE = 1000;

const pageSchema = z.strictObject({
  limit: numeral(1, MAX_PAGE_SIZE, 'How much of the list a page has').default(DEFAULT_PAGE_SIZE),
  cursor: z.string().min(1).exactOptional().meta({ description: 'The `nextCursor` of the page before' }),
});

export const batchesQuerySchema = pageSchema.extend({ cursor: z.uuid().exactOptional() });
export const filesQuerySchema = pageSchema.extend({
  state: z.enum(['done', 'failed', 'skipped']).exactOptional().meta({ description: 'Only those that ended so' }),
  links: flag('With a link to each file'),
});

const MAX_WAIT_SECONDS = MAX_WAIT_MS / 1000;
const DEFAULT_WAIT_SECONDS = 20;
/** Entries of the largest batch. */
const MAX_SETTLED = 10_000_000;

export const waitQuerySchema = z.strictObject({
  returnWhen: z
    .enum(WAIT_CONDITIONS)
    .default('ALL_COMPLETED')
    .meta({ description: 'Until it is closed, until an entry has ended, or until one has failed' }),
  settledAtLeast: numeral(1, MAX_SETTLED, 'Or until so many entries have ended').exactOptional(),
  timeoutSeconds: numeral(0, MAX_WAIT_SECONDS, 'The longest wait').default(DEFAULT_WAIT_SECONDS),
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
