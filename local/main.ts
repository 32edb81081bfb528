import { readFile } from 'node:fs/promises';
import { startEmbedded } from './embedded.ts';
import type { Embedded } from './embedded.ts';
import { parseFlags, readWebhook, USAGE, UsageError } from './flags.ts';
import type { Flags } from './flags.ts';
import { createLog } from './log.ts';
import { StartError } from './start-error.ts';

/** Ctrl-C under npm arrives twice, from the terminal and from npm; a second one by hand comes later. */
const SAME_SIGNAL_MS = 500;
/** The process is gone by then, whatever hangs. */
const STOP_MS = 9500;

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;

async function main(): Promise<void> {
  const flags = parseFlags(process.argv.slice(2));
  if (flags === 'help') process.stdout.write(USAGE);
  else if (flags === 'version') process.stdout.write(`${await version()}\n`);
  else await serve(flags);
}

async function serve(flags: Flags): Promise<void> {
  // Read at the first use, which is yet to come. Look-ups block a thread each: with Node's four a few dead name servers
  // would hold up every file that is written.
  process.env.UV_THREADPOOL_SIZE ??= '64';
  const webhook = await readWebhook(flags, process.env);
  const log = createLog(process.stderr, Date.now);
  const starting = startEmbedded({ ...flags, webhook, log });
  stopOnSignal(starting);
  const { url, filesFolder } = await starting;
  process.stdout.write(`Downburst ${await version()} listens on ${url} and stores files in ${filesFolder}

Try it:  curl -i ${url}/batches -H 'content-type: text/plain' --data-binary https://example.com/
Stop it: Ctrl-C; what is left of a batch goes on at the next start.
`);
}

/** Stops the service at the first signal; exits at once at the second. */
function stopOnSignal(starting: Promise<Embedded>): void {
  let stoppedAt: number | undefined;
  const stop = () => {
    if (stoppedAt !== undefined) {
      if (performance.now() - stoppedAt > SAME_SIGNAL_MS) process.exit(EXIT_INTERRUPTED);
      return;
    }
    stoppedAt = performance.now();
    // Whatever was not closed in time is mended at the next start, as after a crash.
    setTimeout(() => process.exit(), STOP_MS).unref();
    starting.then(
      (embedded) => embedded.close().then(() => process.exit(), fail),
      () => undefined,
    );
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
}

async function version(): Promise<string> {
  const text = await readFile(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function fail(error: unknown): never {
  if (error instanceof UsageError || error instanceof StartError) {
    process.stderr.write(`${error.message}\n`);
    process.exit(error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED);
  }
  process.stderr.write(`Downburst stopped of an error that it did not foresee.\n`);
  console.error(error);
  process.exit(EXIT_FAILED);
}

main().catch(fail);
