import { createReadApp, type Readable } from '../http/read-app.ts';
import { entryPoint } from './environment.ts';
import { createHttpHandler, type HttpHandler } from './http-handler.ts';
import type { Log } from './log.ts';

/** The part of the API that only looks. It also answers what no route takes. */
export function createStatusHandler(service: Readable, log: Log): HttpHandler {
  return createHttpHandler((options) => createReadApp(service, options), log);
}

export const handler = entryPoint(({ service, files, log }) => createStatusHandler({ ...service, files }, log));
