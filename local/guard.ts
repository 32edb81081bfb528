import { isIPv4 } from 'node:net';
import type { Hono } from 'hono';
import { Problem } from '../http/problem.ts';

/** What a browser says about where a request comes from. */
export interface RequestOrigin {
  host: string | undefined;
  origin: string | undefined;
  secFetchSite: string | undefined;
}

/**
 * Why a request is refused; `undefined` for one that may pass. The server listens on loopback, but a web page in the
 * user's browser reaches loopback too: directly (Origin, Sec-Fetch-Site), or by a name of its own that resolves to
 * 127.0.0.1 (Host).
 */
export function refusal({ host, origin, secFetchSite }: RequestOrigin): string | undefined {
  if (host === undefined || !isLoopback(host)) return 'Host is not a loopback name.';
  if (origin !== undefined && origin.toLowerCase() !== `http://${host.toLowerCase()}`) return 'Origin is another site.';
  if (secFetchSite?.toLowerCase() === 'cross-site') return 'Sec-Fetch-Site is cross-site.';
  return undefined;
}

/** `localhost`, `127.x.x.x` or `[::1]`, with or without a port. */
function isLoopback(host: string): boolean {
  const name = host.replace(/:\d{1,5}$/, '').toLowerCase();
  return name === 'localhost' || name === '[::1]' || (isIPv4(name) && name.startsWith('127.'));
}

/** Refuses what other web sites make a browser send. */
export function addGuard(app: Hono): void {
  app.use(async (c, next) => {
    const reason = refusal({
      host: c.req.header('host'),
      origin: c.req.header('origin'),
      secFetchSite: c.req.header('sec-fetch-site'),
    });
    if (reason !== undefined) throw new Problem('foreign-request', reason);
    await next();
  });
}
