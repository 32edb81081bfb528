#!/usr/bin/env node
import module from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';
import { EXIT } from './exit.ts';

/** Where the command begins, and every thread of the service that it runs. */

/** As in package.json, of which npm only warns. */
const LEAST_NODE = 24;

if (Number.parseInt(process.versions.node, 10) < LEAST_NODE) {
  process.stderr.write(`Downburst needs Node.js ${LEAST_NODE} or later; this is ${process.version}.\n`);
  process.exit(EXIT.failed);
}

// Read at the first use, which is yet to come. Look-ups block a thread each: with Node's four a few dead name servers
// would hold up every file that is written.
process.env.UV_THREADPOOL_SIZE ??= '64';

// Here, and by the environment in threads: what a run has compiled spares the next one a tenth of its start, and from source nearly
// half. Where nothing can be written nothing is kept.
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL('../node_modules/.cache/downburst', import.meta.url));
module.enableCompileCache();

if (isMainThread) {
  const { main } = await import('./main.ts');
  await main(process.argv.slice(2), new URL(import.meta.url));
} else {
  await import('../local/thread.ts');
}
