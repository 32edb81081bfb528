import type { FileStore } from '../adapters/files/file-store.ts';
import type { PlanningService } from '../core/batch/service.ts';
import { createApp } from '../http/app.ts';
import { addUploadRoute } from '../http/lists.ts';
import { addReadRoutes } from '../http/read-app.ts';
import { addWriteRoutes } from '../http/write-app.ts';
import { addPageRoutes } from '../web/page.ts';
import { addFilesRoute, localLinks } from './files-route.ts';
import { addGuard } from './guard.ts';
import type { Log } from './log.ts';

/** Answers a request as a server does, without one. */
export type Fetch = (request: Request) => Promise<Response>;

/** The API of the service on this machine (docs/api.md), with the files and the page that only a host of its own serves. */
export function createApi(service: PlanningService, files: FileStore, log: Log): Fetch {
  const app = createApp(
    { onError: (error, { method, path }) => log.error(`${method} ${path} failed`, error) },
    addGuard,
    (app) => addWriteRoutes(app, service),
    (app) => addReadRoutes(app, { ...service, files: { ...files, ...localLinks } }),
    (app) => addFilesRoute(app, files),
    (app) => addUploadRoute(app, service),
    addPageRoutes,
  );
  return async (request) => app.fetch(request);
}
