// Not `{ z }`, which brings 400 KB of messages in all languages into a bundle.
import * as z from 'zod';
import {
  batchesSchema,
  dryRunSchema,
  entrySchema,
  fileSchema,
  filesSchema,
  headersSchema,
  healthSchema,
  listDocumentSchema,
  problemSchema,
  statusSchema,
  summarySchema,
} from './documents.ts';
import type { ProblemType } from './problem.ts';
import {
  batchesQuerySchema,
  filesQuerySchema,
  listSchema,
  listSubmissionSchema,
  noQuerySchema,
  optionsSchema,
  querySubmissionSchema,
  resumeSchema,
  retrySchema,
  submissionSchema,
  waitQuerySchema,
} from './schemas.ts';

/** Every operation of the API, as http/openapi.ts documents it. A new route gets a row here, and its tests with it. */

/** What is sent and answered, by the names that the document gives it. */
export const INPUTS = {
  Submission: z.union([submissionSchema, listSubmissionSchema]),
  List: listSchema,
  Retry: retrySchema,
  Resume: resumeSchema,
  Entry: entrySchema,
  Options: optionsSchema,
  Headers: headersSchema,
};
export const OUTPUTS = {
  Status: statusSchema,
  Batches: batchesSchema,
  Files: filesSchema,
  File: fileSchema,
  Summary: summarySchema,
  DryRun: dryRunSchema,
  UploadLink: listDocumentSchema,
  Health: healthSchema,
  Problem: problemSchema,
};

type InputName = keyof typeof INPUTS;
type OutputName = keyof typeof OUTPUTS;

export interface Body {
  /** A named schema, or text that no schema describes. */
  schema: InputName | 'text';
  /** Each is a request that works, with the other parameters left out. */
  examples: Record<string, unknown>;
}

export interface Answer {
  description: string;
  headers?: Record<string, string>;
  /** By media type; `text` is described in words. */
  content?: Record<string, OutputName | { text: string }>;
}

export interface Operation {
  method: 'get' | 'post' | 'put' | 'delete';
  /** As in http/routes.ts. */
  path: string;
  id: string;
  summary: string;
  query: z.ZodObject;
  /** Request headers that it heeds, and what for. */
  headers?: Record<string, string>;
  body?: Record<string, Body>;
  /** Whether the body may be left out. */
  optionalBody?: true;
  answers: Record<number, Answer>;
  /** Besides those of every operation: `internal`, and `foreign-request` on one machine. */
  problems: readonly ProblemType[];
}

const status = (description: string, headers: Record<string, string> = {}): Answer => ({
  description,
  headers: { 'Retry-After': 'When to ask again, in seconds, while it is not over', ...headers },
  content: { 'application/json': 'Status' },
});

/** What a request that starts a batch heeds and can be answered with. */
const IDEMPOTENCY = {
  'Idempotency-Key':
    'So that the request can be sent again: the same key and request give the same batch, for 24 hours',
};
const STARTING: readonly ProblemType[] = [
  'unknown-batch',
  'idempotency-key-in-use',
  'idempotency-key-reused',
  'too-many-batches',
];
/** What can be wrong with a body. */
const READING: readonly ProblemType[] = [
  'invalid-json',
  'body-too-large',
  'unsupported-media-type',
  'unsupported-encoding',
  'invalid-request',
];

const URLS = ['https://example.com/a.jpg', 'https://example.org/b.jpg'];

export const OPERATIONS: readonly Operation[] = [
  {
    method: 'post',
    path: '/batches',
    id: 'submitBatch',
    summary: 'Starts a batch',
    // With a JSON list `dryRun` alone; with any other list its name and options, too.
    query: querySubmissionSchema,
    headers: IDEMPOTENCY,
    body: {
      'application/json': {
        schema: 'Submission',
        examples: {
          urls: { urls: URLS },
          entries: {
            name: 'two cats',
            urls: [
              { url: 'https://example.com/1.jpg', key: 'cats/1.jpg', size: 1234, sha256: '0'.repeat(64) },
              { url: 'https://example.com/2.jpg', headers: { referer: 'https://example.com/' } },
            ],
            options: {
              prefix: 'pets/',
              connectionsPerHost: 4,
              requestsPerSecondPerHost: 2.5,
              ifExists: 'overwrite',
              contentTypes: ['image/*'],
              timeouts: { idleMs: 5000 },
              headers: { authorization: 'Bearer token' },
            },
          },
        },
      },
      'text/plain': { schema: 'text', examples: { lines: `# cats\n${URLS.join('\n')}\n` } },
      'text/csv': { schema: 'text', examples: { table: `url,key\n${URLS[0]},cats/a.jpg\n` } },
      'text/tab-separated-values': { schema: 'text', examples: { table: `url\tsize\n${URLS[0]}\t1234\n` } },
      'application/x-ndjson': { schema: 'text', examples: { lines: `${JSON.stringify({ url: URLS[0] })}\n` } },
    },
    answers: {
      202: status('The batch has begun', { Location: 'Where its status is' }),
      200: { description: 'With `dryRun=true`: what it would start', content: { 'application/json': 'DryRun' } },
    },
    problems: [...READING, ...STARTING, 'unknown-list', 'invalid-list'],
  },
  {
    method: 'post',
    path: '/lists',
    id: 'createList',
    summary: 'Says where to put a list that is too large for a body',
    query: noQuerySchema,
    body: {
      'application/json': { schema: 'List', examples: { table: { bytes: 73_400_320, name: 'urls.csv.gz' } } },
    },
    answers: { 201: { description: 'Put it there within an hour', content: { 'application/json': 'UploadLink' } } },
    problems: [...READING, 'list-too-large'],
  },
  {
    method: 'get',
    path: '/batches',
    id: 'listBatches',
    summary: 'Lists batches, newest first',
    query: batchesQuerySchema,
    answers: { 200: { description: 'A page of batches', content: { 'application/json': 'Batches' } } },
    problems: ['invalid-request'],
  },
  {
    method: 'get',
    path: '/batches/:id',
    id: 'getStatus',
    summary: 'Tells how far a batch is',
    query: noQuerySchema,
    answers: { 200: status('Its status') },
    problems: ['unknown-batch', 'invalid-request'],
  },
  {
    method: 'delete',
    path: '/batches/:id',
    id: 'deleteBatch',
    summary: 'Removes what is kept of a closed batch; its files stay',
    query: noQuerySchema,
    answers: { 204: { description: 'It is gone' } },
    problems: ['unknown-batch', 'batch-state', 'invalid-request'],
  },
  {
    method: 'get',
    path: '/batches/:id/wait',
    id: 'waitForBatch',
    summary: 'Tells how far a batch is as soon as a condition holds, or when the time is up',
    query: waitQuerySchema,
    answers: { 200: status('Its status') },
    problems: ['unknown-batch', 'invalid-request'],
  },
  {
    method: 'get',
    path: '/batches/:id/files',
    id: 'listFiles',
    summary: 'Lists how the entries of a batch ended',
    query: filesQuerySchema,
    headers: { Accept: 'One of the media types of the answer; `application/json` if left out' },
    answers: {
      200: {
        description: 'A page of outcomes, in the order in which they were recorded',
        headers: { Link: 'The address of the next page, rel="next" (RFC 8288); left out where nothing more can come' },
        content: {
          'application/json': 'Files',
          'application/x-ndjson': { text: 'A File a line; those of the state `failed` are a list to be posted' },
          'text/csv': { text: "RFC 4180, with a header row; formulas have a `'` before them" },
        },
      },
    },
    problems: ['unknown-batch', 'not-acceptable', 'invalid-request'],
  },
  {
    method: 'get',
    path: '/batches/:id/summary',
    id: 'getSummary',
    summary: 'Tells how a closed batch ended, and what it cost',
    query: noQuerySchema,
    answers: { 200: { description: 'Its summary', content: { 'application/json': 'Summary' } } },
    problems: ['unknown-batch', 'batch-state', 'invalid-request'],
  },
  {
    method: 'post',
    path: '/batches/:id/cancel',
    id: 'cancelBatch',
    summary: 'Cancels what is left of a batch',
    query: noQuerySchema,
    answers: { 202: status('It ends, or has ended so before') },
    problems: ['unknown-batch', 'batch-state', 'invalid-request'],
  },
  {
    method: 'post',
    path: '/batches/:id/pause',
    id: 'pauseBatch',
    summary: 'Pauses a batch',
    query: noQuerySchema,
    answers: { 202: status('It pauses, or is paused already') },
    problems: ['unknown-batch', 'batch-state', 'invalid-request'],
  },
  {
    method: 'post',
    path: '/batches/:id/resume',
    id: 'resumeBatch',
    summary: 'Lets a paused batch go on, with another limit of bytes if one is given',
    query: noQuerySchema,
    body: {
      'application/json': { schema: 'Resume', examples: { limit: { maxTotalBytes: 2_000_000_000_000 } } },
    },
    optionalBody: true,
    answers: { 202: status('It goes on, or runs already') },
    problems: [...READING, 'unknown-batch', 'batch-state'],
  },
  {
    method: 'post',
    path: '/batches/:id/retry',
    id: 'retryBatch',
    summary: 'Starts a new batch of the entries that failed in a closed one; it is `planning` until these are read',
    query: noQuerySchema,
    headers: IDEMPOTENCY,
    body: {
      'application/json': {
        schema: 'Retry',
        examples: {
          all: {},
          some: { codes: ['NOT_FOUND', 'HOST_DOWN'], headers: { authorization: 'Bearer token' }, name: 'once more' },
        },
      },
    },
    optionalBody: true,
    answers: { 202: status('The new batch has begun', { Location: 'Where its status is' }) },
    problems: [...READING, ...STARTING, 'batch-state'],
  },
  {
    method: 'get',
    path: '/openapi.json',
    id: 'getOpenApi',
    summary: 'This document',
    query: noQuerySchema,
    answers: { 200: { description: 'OpenAPI 3.1', content: { 'application/json': { text: 'An OpenAPI document' } } } },
    problems: ['invalid-request'],
  },
  {
    method: 'get',
    path: '/health',
    id: 'getHealth',
    summary: 'Tells that the service is up',
    query: noQuerySchema,
    answers: { 200: { description: 'It is', content: { 'application/json': 'Health' } } },
    problems: ['invalid-request'],
  },
];
