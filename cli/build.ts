import { chmod, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type BuildOptions, type Plugin } from 'esbuild';
import { bundlePage } from '../web/bundle.ts';

/**
 * Builds the command with all that it needs, for `npm pack`, or into the folder that the first argument names: `downburst.js`, where
 * it begins, `thread.js`, where its threads do, and in `parts` what they load once it is wanted. So neither a command nor a thread
 * starts with what others need.
 */

const FOLDER = process.argv[2] ?? fileURLToPath(new URL('../dist', import.meta.url));
const PARTS = 'parts';

/**
 * `node:http` as `require` has it. An `import` of it reads each of its exports, and one of them is a getter that loads all of
 * `fetch`: 30 ms in every thread, for nothing.
 */
const lazyHttp: Plugin = {
  name: 'lazy-http',
  setup(builder) {
    builder.onResolve({ filter: /^node:http$/ }, ({ path }) => ({ path, namespace: 'lazy-http' }));
    builder.onLoad({ filter: /^/, namespace: 'lazy-http' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule('${path}')`,
    }));
  },
};

/** What threads run is built by itself: shared with the command it would be three times as many files. */
const threadApart: Plugin = {
  name: 'thread-apart',
  setup(builder) {
    builder.onResolve({ filter: /\/local\/thread\.ts$/ }, () => ({ path: './thread.js', external: true }));
  },
};

const options: BuildOptions = {
  outdir: FOLDER,
  bundle: true,
  splitting: true,
  chunkNames: `${PARTS}/[name]-[hash]`,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  mainFields: ['module', 'main'],
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'inline',
  // For packages that are CommonJS and ask for modules of Node's.
  banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  logLevel: 'warning',
};

await rm(join(FOLDER, PARTS), { recursive: true, force: true });
await build({
  ...options,
  entryPoints: [fileURLToPath(new URL('downburst.ts', import.meta.url))],
  // The page comes along; what makes it stays behind.
  define: { BUILT_PAGE: JSON.stringify(JSON.stringify(await bundlePage())) },
  plugins: [lazyHttp, threadApart],
});
await build({
  ...options,
  entryPoints: [fileURLToPath(new URL('../local/thread.ts', import.meta.url))],
  plugins: [lazyHttp],
});
await chmod(join(FOLDER, 'downburst.js'), 0o755);
