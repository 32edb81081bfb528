import type { Hono } from 'hono';
import { listOutcomes } from '../core/batch/files.ts';
import { readSummary } from '../core/batch/summary.ts';
import type { Service } from '../core/batch/service.ts';
import { batchStatus, listBatches } from '../core/batch/status.ts';
import { waitForBatch } from '../core/batch/wait.ts';
import { createApp } from './app.ts';
import type { AppOptions } from './app.ts';
import type { ReadableFiles } from '../core/ports/file-links.ts';
import { batchId } from './batch-id.ts';
import { answerFiles, filesFormat } from './files-answer.ts';
import { readQuery } from './query.ts';
import { batchesQuerySchema, check, filesQuerySchema, noQuerySchema, waitQuerySchema } from './schemas.ts';
import { answerStatus } from './status-answer.ts';
import { batchItemDocument, fileDocument } from './status-document.ts';

/** What reading takes. */
export type Readable = Pick<Service, 'ledger' | 'state' | 'clock'> & { files: ReadableFiles };

/** The part of the API that only looks. */
export function createReadApp(service: Readable, options: AppOptions): Hono {
  return createApp(options, (app) => addReadRoutes(app, service));
}

export function addReadRoutes(app: Hono, service: Readable): void {
  app.get('/health', (c) => {
    check(noQuerySchema, readQuery(c.req.url));
    return c.json({ status: 'ok' });
  });

  app.get('/openapi.json', async (c) => {
    check(noQuerySchema, readQuery(c.req.url));
    // Made when somebody asks for it, and not at every cold start.
    const { openApi } = await import('./openapi.ts');
    return c.json(openApi());
  });

  app.get('/batches', async (c) => {
    const page = check(batchesQuerySchema, readQuery(c.req.url));
    const { batches, nextCursor } = await listBatches(service, page);
    return c.json({ batches: batches.map(batchItemDocument), nextCursor });
  });

  app.get('/batches/:id', async (c) => {
    check(noQuerySchema, readQuery(c.req.url));
    return answerStatus(c, await batchStatus(service, batchId(c.req.param('id'))));
  });

  app.get('/batches/:id/wait', async (c) => {
    const { timeoutSeconds, ...condition } = check(waitQuerySchema, readQuery(c.req.url));
    const id = batchId(c.req.param('id'));
    const timeoutMs = timeoutSeconds * 1000;
    // Aborted where the host sees that the client hangs up.
    const status = await waitForBatch(service, id, { ...condition, timeoutMs }, c.req.raw.signal);
    return answerStatus(c, status);
  });

  app.get('/batches/:id/summary', async (c) => {
    check(noQuerySchema, readQuery(c.req.url));
    c.header('content-type', 'application/json');
    return c.body(await readSummary(service, batchId(c.req.param('id'))));
  });

  app.get('/batches/:id/files', async (c) => {
    const { links, ...page } = check(filesQuerySchema, readQuery(c.req.url));
    const format = filesFormat(c.req.header('accept'));
    const query = { ...page, links: links ? service.files : undefined };
    const { files, nextCursor } = await listOutcomes(service, batchId(c.req.param('id')), query);
    return answerFiles(c, format, files.map(fileDocument), nextCursor);
  });
}
