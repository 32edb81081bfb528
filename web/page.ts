import type { Hono } from 'hono';

/** The page's files by name. */
export type Page = Record<keyof typeof TYPES, string>;

const TYPES = {
  'index.html': 'text/html; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
  'page.css': 'text/css; charset=utf-8',
  'icon.svg': 'image/svg+xml',
};

/**
 * The page runs its own script and no other, speaks to who served it and nobody else, and is shown in no other page.
 * Trusted Types without a policy keep any text from becoming HTML, whatever the script does.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const HEADERS = {
  'content-security-policy': POLICY,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
};

/** The page as JSON, where it was built into this program (cli/build.ts). */
declare const BUILT_PAGE: string | undefined;

/** The page: the one that was built in, else made of its sources. */
async function loadPage(): Promise<Page> {
  // A builder sees that the first is never so, and leaves what makes the page behind.
  return typeof BUILT_PAGE === 'undefined'
    ? (await import('./bundle.ts')).bundlePage()
    : (JSON.parse(BUILT_PAGE) as Page);
}

/** Serves the dashboard at `/`, or below another path of the app's. */
export function addPageRoutes(app: Hono): void {
  let page: Promise<Page> | undefined;
  for (const [name, type] of Object.entries(TYPES) as [keyof Page, string][]) {
    app.get(name === 'index.html' ? '/' : `/${name}`, async (c) => {
      // Made when somebody looks, not at every start.
      page ??= loadPage();
      return c.body((await page)[name], 200, { ...HEADERS, 'content-type': type });
    });
  }
}
