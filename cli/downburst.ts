#!/usr/bin/env node
import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';

/** Where the command begins, and every thread of the service that it runs. */

// Read at the first use, which is yet to come. Look-ups block a thread each: with Node's four a few dead name servers
// would hold up every file that is written.
process.env.UV_THREADPOOL_SIZE ??= '64';

// Here and in threads, which have the environment: what a first run has compiled spares later ones a fifth of their start. Where
// nothing can be written nothing is kept.
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL('../node_modules/.cache/downburst', import.meta.url));
enableCompileCache();

if (isMainThread) {
  const { main } = await import('./main.ts');
  await main(process.argv.slice(2), new URL(import.meta.url));
} else {
  await import('../local/thread.ts');
}
