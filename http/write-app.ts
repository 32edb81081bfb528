import type { Context, Hono } from 'hono';
import { dryRun } from '../core/batch/dry-run.ts';
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
import type { DryRunDocument } from './documents.ts';
import { checkHeaders } from './request-headers.ts';
import { readOptionsQuery, readQuery } from './query.ts';
import { check, submissionQuerySchema, submissionSchema, textSubmissionSchema } from './schemas.ts';
import { answerStatus } from './status-answer.ts';
import { pathOf } from './status-document.ts';

/** The part of the API that begins and ends batches. */
export function createWriteApp(service: Service, options: AppOptions): Hono {
  return createApp(options, (app) => addWriteRoutes(app, service));
}

export function addWriteRoutes(app: Hono, service: Service): void {
  app.post('/batches', limitBody, async (c) => {
    const json = mediaType(c.req.raw.headers) === 'application/json';
    const { dryRun: dry, ...submission } = json ? await readJsonSubmission(c) : await readTextSubmission(c);
    try {
      if (dry) return c.json((await dryRun(service, submission)) satisfies DryRunDocument);
      const id = await startBatch(c, service, (as) => submitBatch(service, { ...submission, ...as }));
      c.header('location', pathOf(id));
      return answerStatus(c, await batchStatus(service, id), 202);
    } catch (error) {
      if (!json || !(error instanceof InvalidOptionError)) throw error;
      throw new InvalidOptionError(`options.${error.option}`, error.reason);
    }
  });

  addControlRoutes(app, service);
}

/** A submission, and whether it is only to be tried. */
type Request = Submission & { dryRun: boolean };

async function readJsonSubmission(c: Context): Promise<Request> {
  const { dryRun } = check(submissionQuerySchema, readQuery(c.req.url));
  const body = check(submissionSchema, parseJson(decodeText(await c.req.arrayBuffer())));
  const { headers, ...options } = body.options ?? {};
  const items = body.urls.map((value, at) => ({ line: at + 1, value }));
  return { ...named(body.name), items, options, headers: checkHeaders(headers, 'options.'), dryRun };
}

async function readTextSubmission(c: Context): Promise<Request> {
  const { name, dryRun, ...options } = check(textSubmissionSchema, readOptionsQuery(c.req.url));
  const text = decodeText(await c.req.arrayBuffer());
  return { ...named(name), items: readTextList(text), options, headers: {}, dryRun };
}

function named(name: string | undefined): { name?: string } {
  return name === undefined ? {} : { name };
}
