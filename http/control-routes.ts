import type { Context, Hono } from 'hono';
import { cancelBatch, pauseBatch, resumeBatch } from '../core/batch/control.ts';
import { deleteBatch } from '../core/batch/delete.ts';
import { retryBatch } from '../core/batch/retry.ts';
import type { PlanningService } from '../core/batch/service.ts';
import { batchStatus } from '../core/batch/status.ts';
import { batchId } from './batch-id.ts';
import { limitBody, readPlainJson } from './body.ts';
import { startBatch } from './idempotency.ts';
import { readQuery } from './query.ts';
import { checkHeaders } from './request-headers.ts';
import { check, noQuerySchema, resumeSchema, retrySchema } from './schemas.ts';
import { answerStatus } from './status-answer.ts';
import { pathOf } from './status-document.ts';

/** The routes that change what becomes of a batch which is there. */
export function addControlRoutes(app: Hono, service: PlanningService): void {
  const control = async (c: Context, act: (id: string) => Promise<void>) => {
    check(noQuerySchema, readQuery(c.req.url));
    const id = batchId(c.req.param('id') ?? '');
    await act(id);
    return answerStatus(c, await batchStatus(service, id), 202);
  };

  app.post('/batches/:id/cancel', (c) => control(c, (id) => cancelBatch(service, id)));

  app.post('/batches/:id/pause', (c) => control(c, (id) => pauseBatch(service, id)));

  app.post('/batches/:id/resume', limitBody, (c) =>
    control(c, async (id) => resumeBatch(service, id, check(resumeSchema, await readOptionalJson(c)))),
  );

  app.post('/batches/:id/retry', limitBody, async (c) => {
    check(noQuerySchema, readQuery(c.req.url));
    const { codes, headers, ...named } = check(retrySchema, await readOptionalJson(c));
    const choice = { batchId: batchId(c.req.param('id')), codes };
    const given = { ...named, headers: checkHeaders(headers) };
    const id = await startBatch(c, service, (as) => retryBatch(service, choice, { ...given, ...as }));
    c.header('location', pathOf(id));
    return answerStatus(c, await batchStatus(service, id), 202);
  });

  app.delete('/batches/:id', async (c) => {
    check(noQuerySchema, readQuery(c.req.url));
    await deleteBatch(service, batchId(c.req.param('id')));
    return c.body(null, 204);
  });
}

/** A body as JSON; no body is an empty object. */
async function readOptionalJson(c: Context): Promise<unknown> {
  const body = await c.req.arrayBuffer();
  if (body.byteLength === 0) return {};
  return readPlainJson(c);
}
