// Not `{ z }`, which brings 400 KB of messages in all languages into a bundle.
import * as z from 'zod';
import { FAILURES, type FailureCode } from '../core/model/failure.ts';
import { MAX_HEADERS, MAX_KEY_BYTES, MAX_URL_BYTES } from '../core/model/limits.ts';
import type { PublicOptions } from '../core/model/options.ts';
import { PROBLEMS, type ProblemDocument } from './problem.ts';
import { optionsSchema } from './schemas.ts';

/** What the API answers with: the types of its documents, and what http/openapi.ts says of them. */

const FAILURE_CODES = Object.keys(FAILURES) as [FailureCode, ...FailureCode[]];
const PROBLEM_TYPES = Object.keys(PROBLEMS).map((type) => `urn:downburst:problem:${type}`);

const count = (description: string) => z.int().min(0).meta({ description });
const time = (description: string) => z.iso.datetime().meta({ description });
const hex = (digits: number) => z.string().regex(new RegExp(`^[0-9a-fA-F]{${digits}}$`));
const path = (description: string) => z.string().meta({ description });

const id = z.uuid().meta({ description: 'UUIDv7: later batches have greater ids' });
const name = z.string().optional();
const state = z
  .enum(['planning', 'running', 'paused', 'cancelling', 'cancelled', 'finished', 'rejected'])
  .meta({ description: 'At the end `finished`, `cancelled` or `rejected`' });

const speed = z.object({ filesPerSecond: z.number().min(0), bytesPerSecond: z.number().min(0) });

/** How many entries ended how. */
const counts = {
  total: count('Entries, without duplicates: done + failed + skipped + cancelled + pending, at every moment'),
  duplicates: count('Lines left out because an earlier one is the same'),
  done: count('Entries whose file is stored'),
  failed: count('Entries that were given up'),
  skipped: count('Entries whose key was taken already'),
  cancelled: count('Entries that a cancel met'),
  bytes: count('Of the `done` ones'),
  failures: z.partialRecord(z.enum(FAILURE_CODES), z.int().min(1)).meta({ description: 'The `failed` ones by code' }),
};

export const problemSchema = z.object({
  type: z.enum(PROBLEM_TYPES as [ProblemDocument['type'], ...ProblemDocument['type'][]]),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  errors: z
    .array(
      z.object({
        line: z.int().optional().meta({ description: "The entry's place in the list, from 1" }),
        column: z.int().optional().meta({ description: 'In that line, from 1, where it is known' }),
        field: z.string().meta({ description: 'Empty where the whole is wrong' }),
        value: z.string().optional().meta({ description: 'What was found; left out where it may be a secret' }),
        reason: z.string(),
      }),
    )
    .max(100)
    .readonly()
    .optional(),
});

export const statusSchema = z.object({
  id,
  name,
  state,
  linesPlanned: count('While it is planned: entries of its list that were read').optional(),
  problem: problemSchema.optional().meta({ description: 'What is wrong with the list of a rejected batch' }),
  reason: z.enum(['BYTE_LIMIT']).optional().meta({ description: 'Why it is paused, if nobody asked for it' }),
  retryOf: z.uuid().optional().meta({ description: 'The batch whose failed entries these are' }),
  createdAt: time('When it was submitted'),
  deadline: time('What is left then fails as DEADLINE'),
  finishedAt: time('When it was closed').optional(),
  ...counts,
  pending: count('Entries without an outcome'),
  retrying: count('Pending ones that were begun or are to be tried again'),
  rate: speed.meta({ description: 'The speed over about the last minute' }),
  averageRate: speed.meta({ description: 'The speed since the batch was submitted, until it is closed' }),
  etaSeconds: count('What is left of the time at the speed of the last minute, if there is one').optional(),
  shards: z
    .object({ total: count('In all'), finished: count('Without work left'), working: count('Being worked now') })
    .meta({ description: 'Parts of the batch, each worked by one worker at a time' }),
  options: optionsSchema.meta({ description: 'All of them, with defaults; without request headers' }),
  warnings: z.array(z.string()).meta({ description: 'What the user should know, in words' }),
  links: z.object({
    self: path('This document'),
    files: path('How its entries ended'),
    failed: path(
      'The failed entries, once it is closed and if there are any; as NDJSON a list to be posted',
    ).optional(),
    summary: path('The summary, once it is closed').optional(),
    cancel: path('POST it to cancel, while that is possible').optional(),
  }),
});

export const batchItemSchema = z.object({
  id,
  name,
  state,
  createdAt: statusSchema.shape.createdAt,
  finishedAt: statusSchema.shape.finishedAt,
  total: counts.total,
  failed: counts.failed.optional().meta({ description: 'Entries that were given up, once it is closed' }),
});

const nextCursor = z
  .string()
  .optional()
  .meta({ description: 'Gives the next page as parameter `cursor`; left out where nothing more can come' });

export const batchesSchema = z.object({ batches: z.array(batchItemSchema), nextCursor });

export const fileSchema = z.object({
  index: z.int().min(1).meta({ description: "The entry's line in the list" }),
  url: z.string(),
  key: z.string().meta({ description: "Where the file is, behind the batch's prefix" }),
  state: z.enum(['done', 'failed', 'skipped']),
  bytes: count('Of the file').optional(),
  sha256: z.string().optional(),
  contentType: z.string().optional(),
  httpStatus: z.int().optional().meta({ description: 'Of the last response' }),
  code: z.enum(FAILURE_CODES).optional(),
  message: z.string().optional(),
  attempts: count('Requests that were begun, redirects not counted apart'),
  lengthVerified: z.boolean().optional().meta({ description: '`false`: the source could not prove the body whole' }),
  settledAt: time('When it ended'),
  link: path('GETs the file for 15 minutes; with `links=true`').optional(),
});

export const filesSchema = z.object({ files: z.array(fileSchema), nextCursor });

/** The price of what was used; see core/cost/. */
const cost = z
  .object({
    dollars: z.number().min(0),
    parts: z.record(z.string(), z.number().min(0)).meta({ description: 'Dollars by service' }),
    region: z.string().meta({ description: 'Whose prices they are' }),
    pricesOf: z.iso.date().meta({ description: 'When the prices were looked up' }),
    leftOut: z.array(z.string()).meta({ description: 'What may cost money too and is not in it' }),
  })
  .meta({ description: 'Left out where nothing is paid for, on one machine' });

export const summarySchema = z.object({
  id,
  name,
  state: z.enum(['finished', 'cancelled', 'rejected']),
  createdAt: statusSchema.shape.createdAt,
  finishedAt: time('When its last entry ended'),
  ...counts,
  options: statusSchema.shape.options,
  cost: cost.optional(),
});

export const dryRunSchema = z.object({
  total: counts.total,
  duplicates: counts.duplicates,
  hosts: z.object({
    total: count('Source hosts: scheme, name and port'),
    largest: z
      .array(
        z.object({
          host: z.string(),
          entries: count('Of the host'),
          connections: count('Requests that are open to it at once, at the most'),
        }),
      )
      .meta({ description: 'Those with the most entries, at most 20' }),
  }),
  shards: count('Parts, each worked by one worker at a time'),
  firstKeys: z.array(z.string()).meta({ description: "Of the first ten entries, without the batch's prefix" }),
  options: statusSchema.shape.options,
  estimate: z.object({
    seconds: count('From the first request to the last outcome'),
    bytes: count('Of all files'),
    assumptions: z.array(z.string()).meta({ description: 'What the numbers stand on' }),
    cost: cost.optional(),
  }),
});

/** Where to put a list. */
export const listDocumentSchema = z.object({
  listId: z.uuid(),
  upload: z.object({
    url: z.string(),
    method: z.literal('PUT'),
    headers: z.record(z.string(), z.string()).meta({ description: 'To be sent just so' }),
    expiresAt: time('Until then it can be put'),
  }),
});

export const healthSchema = z.object({ status: z.literal('ok') });

/** Request headers, as a user gives them. */
export const headersSchema = z
  .record(z.string(), z.string())
  .meta({ description: 'Request headers; never shown again, nor sent on to another site', maxProperties: MAX_HEADERS });

/** An entry of a list as JSON. */
export const entrySchema = z.union([
  z.string().meta({ description: 'A URL', maxLength: MAX_URL_BYTES }),
  z.object({
    url: z.string().max(MAX_URL_BYTES).meta({ description: 'http or https, without credentials' }),
    key: z.string().max(MAX_KEY_BYTES).optional().meta({ description: 'Where the file goes, behind the prefix' }),
    headers: headersSchema.optional(),
    size: count('Bytes that the file must have').optional(),
    sha256: hex(64).optional().meta({ description: 'That the file must have' }),
    md5: hex(32).optional().meta({ description: 'That the file must have' }),
  }),
]);

type Options<T extends { options: unknown }> = Omit<T, 'options'> & {
  /** As a user may send them: without what is internal. */
  options: PublicOptions;
};

export type StatusDocument = Options<z.infer<typeof statusSchema>>;
export type BatchItemDocument = z.infer<typeof batchItemSchema>;
export type FileDocument = z.infer<typeof fileSchema>;
export type ListDocument = z.infer<typeof listDocumentSchema>;
export type SummaryDocument = Options<z.infer<typeof summarySchema>>;
export type DryRunDocument = Options<z.infer<typeof dryRunSchema>>;
