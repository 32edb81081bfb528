import type { PlanningService } from '../core/batch/service.ts';
import { createWriteApp } from '../http/write-app.ts';
import { entryPoint } from './environment.ts';
import { createHttpHandler, type HttpHandler } from './http-handler.ts';
import type { Log } from './log.ts';

/** The part of the API that begins and ends batches. */
export function createApiHandler(service: PlanningService, log: Log): HttpHandler {
  return createHttpHandler((options) => createWriteApp(service, options), log);
}

export const handler = entryPoint(({ service, log }) => createApiHandler(service, log));
