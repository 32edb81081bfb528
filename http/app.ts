import { Hono } from 'hono';
import { asProblem, Problem, problemResponse } from './problem.ts';
import { ROUTES } from './routes.ts';

export interface AppOptions {
  /** Told of every error that nobody foresaw; its message and stack are for the operator, the client gets neither. */
  onError: (error: unknown, request: { method: string; path: string }) => void;
}

/** An app of the given routes, with what all answers have in common; a path that no route takes is answered here. */
export function createApp(options: AppOptions, ...addRoutes: ((app: Hono) => void)[]): Hono {
  const app = new Hono();

  app.use(async (c, next) => {
    await next();
    c.header('cache-control', 'no-store');
    c.header('x-content-type-options', 'nosniff');
  });

  for (const add of addRoutes) add(app);

  for (const [path, methods] of Object.entries(ROUTES)) {
    const allow = methods.join(', ');
    app.all(path, (c) => {
      throw new Problem('method-not-allowed', `${c.req.method} is not taken here; ${allow} is.`, {
        headers: { allow },
      });
    });
  }
  app.notFound(() => problemResponse(new Problem('unknown-route', 'docs/api.md names every path.')));

  app.onError((error, c) => {
    const problem = asProblem(error);
    if (problem) return problemResponse(problem);
    // A client that goes away in the middle of its body is no fault of ours, and nobody reads the answer.
    if (!c.req.raw.signal.aborted) options.onError(error, { method: c.req.method, path: c.req.path });
    return problemResponse(new Problem('internal', 'The operator finds the cause in the log.'));
  });
  return app;
}
