import type { Hono } from 'hono';
import { dryRun } from '../core/batch/dry-run.ts';
import type { PlanningService } from '../core/batch/service.ts';
import { batchStatus } from '../core/batch/status.ts';
import { submitBatch, submitList } from '../core/batch/submit.ts';
import { InvalidOptionError } from '../core/model/errors.ts';
import { createApp } from './app.ts';
import type { AppOptions } from './app.ts';
import { limitBody } from './body.ts';
import { addControlRoutes } from './control-routes.ts';
import { startBatch } from './idempotency.ts';
import type { DryRunDocument } from './documents.ts';
import { addListRoutes } from './lists.ts';
import { answerStatus } from './status-answer.ts';
import { pathOf } from './status-document.ts';
import { readSubmission } from './submission.ts';

/** What the core takes for an option and stands elsewhere in a request with a JSON body. */
const BESIDE_OPTIONS = ['format', 'dryRun'];

/** The part of the API that begins and ends batches. */
export function createWriteApp(service: PlanningService, options: AppOptions): Hono {
  return createApp(options, (app) => addWriteRoutes(app, service));
}

export function addWriteRoutes(app: Hono, service: PlanningService): void {
  addListRoutes(app, service);

  app.post('/batches', limitBody, async (c) => {
    const { submission, json, dryRun: dry } = await readSubmission(c);
    try {
      if (dry) return c.json((await dryRun(service, submission)) satisfies DryRunDocument);
      const id = await startBatch(c, service, (as) =>
        'list' in submission
          ? submitList(service, { ...submission, ...as })
          : submitBatch(service, { ...submission, ...as }),
      );
      c.header('location', pathOf(id));
      return answerStatus(c, await batchStatus(service, id), 202);
    } catch (error) {
      if (!json || !(error instanceof InvalidOptionError) || BESIDE_OPTIONS.includes(error.option)) throw error;
      throw new InvalidOptionError(`options.${error.option}`, error.reason);
    }
  });

  addControlRoutes(app, service);
}
