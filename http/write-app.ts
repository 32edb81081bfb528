import type { Context, Hono } from 'hono';
import { cancelBatch } from '../core/batch/control.ts';
import type { Service } from '../core/batch/service.ts';
import { batchStatus } from '../core/batch/status.ts';
import { submitBatch } from '../core/batch/submit.ts';
import type { Submission } from '../core/batch/submit.ts';
import { InvalidOptionError } from '../core/model/errors.ts';
import { readHeaders } from '../core/plan/headers.ts';
import { readTextList } from '../core/plan/text-list.ts';
import { createApp } from './app.ts';
import type { AppOptions } from './app.ts';
import { batchId } from './batch-id.ts';
import { decodeText, limitBody, mediaType, parseJson } from './body.ts';
import { invalidRequest } from './problem.ts';
import type { FieldError } from './problem.ts';
import { readOptionsQuery, readQuery } from './query.ts';
import { check, noQuerySchema, submissionSchema, textSubmissionSchema } from './schemas.ts';
import { answerStatus } from './status-answer.ts';
import { pathOf } from './status-document.ts';

/** The part of the API that begins and ends batches. */
export function createWriteApp(service: Service, options: AppOptions): Hono {
  return createApp(options, (app) => addWriteRoutes(app, service));
}

export function addWriteRoutes(app: Hono, service: Service): void {
  app.post('/batches', limitBody, async (c) => {
    const json = mediaType(c.req.raw.headers) === 'application/json';
    const submission = json ? await readJsonSubmission(c) : await readTextSubmission(c);
    const id = await submitBatch(service, submission).catch((error: unknown) => {
      if (!json || !(error instanceof InvalidOptionError)) throw error;
      throw new InvalidOptionError(`options.${error.option}`, error.reason);
    });
    c.header('location', pathOf(id));
    return answerStatus(c, await batchStatus(service, id), 202);
  });

  app.post('/batches/:id/cancel', async (c) => {
    check(noQuerySchema, readQuery(c.req.url));
    const id = batchId(c.req.param('id'));
    await cancelBatch(service, id);
    return answerStatus(c, await batchStatus(service, id), 202);
  });
}

async function readJsonSubmission(c: Context): Promise<Submission> {
  check(noQuerySchema, readQuery(c.req.url));
  const body = check(submissionSchema, parseJson(decodeText(await c.req.arrayBuffer())));
  const { headers, ...options } = body.options ?? {};
  const items = body.urls.map((value, at) => ({ line: at + 1, value }));
  return { ...named(body.name), items, options, headers: headers === undefined ? {} : checkHeaders(headers) };
}

async function readTextSubmission(c: Context): Promise<Submission> {
  const { name, ...options } = check(textSubmissionSchema, readOptionsQuery(c.req.url));
  const text = decodeText(await c.req.arrayBuffer());
  return { ...named(name), items: readTextList(text), options, headers: {} };
}

function checkHeaders(value: unknown): Record<string, string> {
  const errors: FieldError[] = [];
  const headers = readHeaders(value, (field, _, reason) => errors.push({ field: `options.${field}`, reason }));
  if (errors.length > 0) throw invalidRequest(errors);
  return headers;
}

function named(name: string | undefined): { name?: string } {
  return name === undefined ? {} : { name };
}
