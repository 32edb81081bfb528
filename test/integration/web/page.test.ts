import { gzipSync } from 'node:zlib';
import { Hono } from 'hono';
import { expect, test } from 'vitest';
import { addPageRoutes } from '../../../web/page.ts';

const app = new Hono();
addPageRoutes(app);

/** A file of the page, and what it names beside itself. */
async function load(path: string) {
  const response = await app.request(path);
  const text = await response.text();
  return { response, text, names: [...text.matchAll(/(?:src|href)="([^"#:]+)"/g)].map(([, name]) => `/${name ?? ''}`) };
}

test('the whole page is smaller than 100 KB compressed', async () => {
  const index = await load('/');
  expect(index.names).toEqual(['/icon.svg', '/page.css', '/page.js']);
  let bytes = gzipSync(index.text).length;
  for (const name of index.names) bytes += gzipSync((await load(name)).text).length;
  expect(bytes).toBeLessThan(100_000);
});

test('the page may run its own script alone, and be shown in no other page', async () => {
  const { response, text } = await load('/');
  const policy = response.headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toContain('unsafe');
  expect(text).not.toMatch(/<style|style=|<script[^>]*>[^<]| on\w+=/);
  expect(response.headers.get('referrer-policy')).toBe('no-referrer');
});

test.each([
  ['/', 'text/html; charset=utf-8'],
  ['/page.js', 'text/javascript; charset=utf-8'],
  ['/page.css', 'text/css; charset=utf-8'],
  ['/icon.svg', 'image/svg+xml'],
])('%s says what it is', async (path, type) => {
  const { response } = await load(path);
  expect([response.status, response.headers.get('content-type')]).toEqual([200, type]);
});
