#!/usr/bin/env node
import { isMainThread } from 'node:worker_threads';

/** Where the command begins, and every thread of the service that it runs. */

// Read at the first use, which is yet to come. Look-ups block a thread each: with Node's four a few dead name servers
// would hold up every file that is written.
process.env.UV_THREADPOOL_SIZE ??= '64';

if (isMainThread) {
  const { main } = await import('./main.ts');
  await main(process.argv.slice(2), new URL(import.meta.url));
} else {
  await import('../local/thread.ts');
}
