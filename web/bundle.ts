import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build, stop } from 'esbuild';
import type { Page } from './page.ts';

const SOURCES = new URL('browser/', import.meta.url);

/** Makes the page of its sources: one script, one style sheet, and what they stand in. */
export async function bundlePage(): Promise<Page> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('main.tsx', SOURCES))],
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: 'es2024',
    legalComments: 'none',
  });
  // Its process would stay for the next build, and there is none.
  await stop();
  return {
    'index.html': await readFile(new URL('index.html', SOURCES), 'utf8'),
    'page.js': outputFiles[0]?.text ?? '',
    'page.css': await readFile(new URL('page.css', SOURCES), 'utf8'),
    'icon.svg': await readFile(new URL('icon.svg', SOURCES), 'utf8'),
  };
}
