import type { Context, Hono } from 'hono';
import type { Service } from '../core/batch/service.ts';
import { batchStatus } from '../core/batch/status.ts';
import { submitBatch } from '../core/batch/submit.ts';
import type { Submission } from '../core/batch/submit.ts';
import { InvalidOptionError } from '../core/model/errors.ts';
import { readTextList } from '../core/plan/text-list.ts';
import { createApp } from './app.ts';
import type { AppOptions } from './app.ts';
import { decodeText, limitBody, mediaType, parseJson } from './body.ts';
import { addControlRoutes } from './control-routes.ts';
import { startBatch } from './idempotency.ts';
import { checkHeaders } from './request-headers.ts';
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
    const start = (as: { id: string }) => submitBatch(service, { ...submission, ...as });
    const id = await startBatch(c, service, start).catch((error: unknown) => {
      if (!json || !(error instanceof InvalidOptionError)) throw error;
      throw new InvalidOptionError(`options.${error.option}`, error.reason);
    });
    c.header('location', pathOf(id));
    return answerStatus(c, await batchStatus(service, id), 202);
  });

  addControlRoutes(app, service);
}

async function readJsonSubmission(c: Context): Promise<Submission> {
  check(noQuerySchema, readQuery(c.req.url));
  const body = check(submissionSchema, parseJson(decodeText(await c.req.arrayBuffer())));
  const { headers, ...options } = body.options ?? {};
  const items = body.urls.map((value, at) => ({ line: at + 1, value }));
  return { ...named(body.name), items, options, headers: checkHeaders(headers, 'options.') };
}

async function readTextSubmission(c: Context): Promise<Submission> {
  const { name, ...options } = check(textSubmissionSchema, readOptionsQuery(c.req.url));
  const text = decodeText(await c.req.arrayBuffer());
  return { ...named(name), items: readTextList(text), options, headers: {} };
}

function named(name: string | undefined): { name?: string } {
  return name === undefined ? {} : { name };
}
