import { chmod } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { bundlePage } from '../web/bundle.ts';

/** Builds the command into one JavaScript file with all that it needs: for `npm pack`, or where the first argument says. */

const OUTPUT = process.argv[2] ?? fileURLToPath(new URL('../dist/downburst.js', import.meta.url));

await build({
  entryPoints: [fileURLToPath(new URL('downburst.ts', import.meta.url))],
  outfile: OUTPUT,
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  mainFields: ['module', 'main'],
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'inline',
  // For packages that are CommonJS and ask for modules of Node's.
  banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  // The page comes along; what makes it stays behind.
  define: { BUILT_PAGE: JSON.stringify(JSON.stringify(await bundlePage())) },
  logLevel: 'warning',
});
await chmod(OUTPUT, 0o755);
