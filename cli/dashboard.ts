import { randomBytes } from 'node:crypto';
import { Hono } from 'hono';
import type { Context } from 'hono';
import { LIST_UPLOAD_MS } from '../core/model/limits.ts';
import type { ListDocument } from '../http/documents.ts';
import { limitBody } from '../http/body.ts';
import { asProblem, Problem, problemResponse } from '../http/problem.ts';
import { ROUTES } from '../http/routes.ts';
import { addGuard } from '../local/guard.ts';
import { DEFAULT_CLIENT_LIMITS, serveHttp, type HttpServer } from '../local/http-server.ts';
import { addPageRoutes } from '../web/page.ts';
import type { Connection } from './connection.ts';
import { UsageError } from './exit.ts';

/** Bytes of the token: nobody guesses it. */
const TOKEN_BYTES = 24;
/** Lists that were announced and are not put yet; older ones are forgotten. */
const MAX_UPLOADS = 100;

/** What is passed on of a request, and of its answer. No cookie, no credentials, no address of the page. */
const REQUEST_HEADERS = ['accept', 'content-type', 'content-encoding', 'idempotency-key'];
const ANSWER_HEADERS = [
  'allow',
  'content-disposition',
  'content-security-policy',
  'content-type',
  'link',
  'location',
  'retry-after',
  'vary',
];

/** A list may take as long as its link is good for. */
const LIMITS = { ...DEFAULT_CLIENT_LIMITS, requestMs: LIST_UPLOAD_MS };

/**
 * Serves the dashboard of a service on 127.0.0.1, for who knows the path, which is drawn at random: what it asks for is
 * done with the user's credentials, which no browser sees.
 *
 * @param port 0 takes a free one
 * @throws Node's `EADDRINUSE`, `EACCES`
 */
export async function serveDashboard(connection: Connection, port: number): Promise<HttpServer> {
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  const server = await serveHttp(createDashboardApp(connection, token), port, LIMITS);
  return { ...server, url: `${server.url}/${token}/` };
}

/** The page and the routes of the API below `/{token}/`, and nothing anywhere else. */
export function createDashboardApp({ base, fetch: ask }: Connection, token: string): Hono {
  const uploads = new Map<string, ListDocument['upload']>();
  /** A request's path behind the token, as it came; nothing that a route takes where it does not begin with the token. */
  const pathOf = ({ url }: { url: string }) => {
    const { pathname } = new URL(url);
    return pathname.startsWith(`/${token}/`) ? pathname.slice(token.length + 1) : '';
  };
  const app = new Hono({ getPath: pathOf });

  addGuard(app);
  app.use(async (c, next) => {
    await next();
    c.header('cache-control', 'no-store');
    c.header('x-content-type-options', 'nosniff');
  });

  addPageRoutes(app);

  const forward = async (c: Context): Promise<Response> => {
    const { method, signal, url } = c.req.raw;
    const body = method === 'POST' ? await c.req.arrayBuffer() : new ArrayBuffer();
    const headers = chosen(c.req.raw.headers, REQUEST_HEADERS);
    const target = base + pathOf(c.req.raw) + new URL(url).search;
    return ask(new Request(target, { method, headers, signal, ...(body.byteLength > 0 && { body }) }));
  };

  // The page speaks to nobody else, so that its lists come this way, too.
  app.post('/lists', limitBody, async (c) => {
    const answer = await forward(c);
    if (!answer.ok) return passedOn(answer);
    const { listId, upload } = (await answer.json()) as ListDocument;
    uploads.set(listId, upload);
    for (const oldest of [...uploads.keys()].slice(0, -MAX_UPLOADS)) uploads.delete(oldest);
    const url = new URL(`/${token}/lists/${listId}`, c.req.url).href;
    return c.json({ listId, upload: { ...upload, url } } satisfies ListDocument, 201);
  });
  app.put('/lists/:id', async (c) => {
    const upload = uploads.get(c.req.param('id'));
    if (!upload) return c.notFound();
    const { url, method, headers } = upload;
    const { body, signal } = c.req.raw;
    const put = new Request(url, { method, headers, body, signal, duplex: 'half' });
    // A link to a store is signed already, and takes no other credentials.
    return passedOn(await (new URL(url).origin === new URL(base).origin ? ask(put) : fetch(put)));
  });
  for (const [path, methods] of Object.entries(ROUTES)) {
    app.on([...methods], path, limitBody, async (c) => passedOn(await forward(c)));
  }
  // Where the links to files of a service on this machine lead.
  app.get('/files/*', async (c) => passedOn(await forward(c)));

  app.notFound(() =>
    problemResponse(new Problem('unknown-route', 'The dashboard is at the whole address that was printed.')),
  );
  app.onError((error) => {
    const problem = asProblem(error);
    if (problem) return problemResponse(problem);
    const detail = error instanceof UsageError ? error.message : `${new URL(base).origin} does not answer.`;
    const headers = { 'content-type': 'application/problem+json' };
    return new Response(JSON.stringify({ type: 'about:blank', title: 'Bad Gateway', status: 502, detail }), {
      status: 502,
      headers,
    });
  });
  return app;
}

function chosen(headers: Headers, names: readonly string[]): Headers {
  return new Headers(
    names.flatMap((name): [string, string][] => {
      const value = headers.get(name);
      return value === null ? [] : [[name, value]];
    }),
  );
}

/** An answer of the service, for the page. */
function passedOn(answer: Response): Response {
  return new Response(answer.body, { status: answer.status, headers: chosen(answer.headers, ANSWER_HEADERS) });
}
