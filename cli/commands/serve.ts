import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { createLog } from '../../local/log.ts';
import { serveEmbedded } from '../../local/serve.ts';
import { foldersIn } from '../../local/stores.ts';
import { readWebhook, SECRET_VARIABLE } from '../../local/webhook.ts';
import type { Context } from '../context.ts';
import { EXIT, UsageError } from '../exit.ts';
import { untilInterrupted } from '../interrupt.ts';
import { folder, httpUrl, wholeNumber } from '../values.ts';
import { workerOptions } from '../worker-options.ts';

const DEFAULT_PORT = 8787;
/** The process is gone by then, whatever hangs. */
const STOP_MS = 9500;

export interface ServeFlags {
  port: number;
  data: string;
  workers: number;
  allowNetwork: string[];
  notify?: string;
  notifySecretFile?: string;
}

/** `downburst serve`, which is `npm start`. */
export function serveCommand(context: Context): Command {
  const command = new Command('serve')
    .summary('runs the service on this machine')
    .description('Runs the service on this machine: its API and its page on 127.0.0.1, files and state in a folder.')
    .addOption(
      new Option('--port <n>', 'port to listen on; 0 takes a free one')
        .default(DEFAULT_PORT)
        .argParser(wholeNumber('--port', { min: 0, max: 65_535 })),
    )
    .addOption(
      new Option('--data <folder>', 'where files and state go').default('data', './data').argParser(folder('--data')),
    );
  for (const option of workerOptions()) command.addOption(option);
  return command
    .addOption(
      new Option(
        '--notify <url>',
        `POST the summary of every closed batch there, signed with the secret in ${SECRET_VARIABLE}`,
      ).argParser(httpUrl('--notify')),
    )
    .option('--notify-secret-file <file>', "the secret's file, instead of the variable")
    .action((flags: ServeFlags) => serve(context, flags));
}

async function serve({ version, threadScript }: Context, flags: ServeFlags): Promise<void> {
  const folders = foldersIn(resolve(flags.data));
  const webhook = await webhookOf(flags);
  const starting = serveEmbedded(
    {
      folders,
      folderFlag: '--data',
      workers: flags.workers,
      allowedNetworks: flags.allowNetwork,
      webhook,
      log: createLog(process.stderr, Date.now),
      threadScript,
    },
    flags.port,
  );
  const stopped = Promise.withResolvers<undefined>();
  untilInterrupted(() => {
    // Whatever was not closed in time is mended at the next start, as after a crash.
    setTimeout(() => process.exit(EXIT.ok), STOP_MS).unref();
    stopped.resolve(undefined);
  });
  const { url, close } = await starting;
  process.stdout.write(`Downburst ${version} listens on ${url} and stores files in ${folders.files}

Try it:  curl -i ${url}/batches -H 'content-type: text/plain' --data-binary https://example.com/
Stop it: Ctrl-C; what is left of a batch goes on at the next start.
`);
  await stopped.promise;
  await close();
  process.exit(EXIT.ok);
}

/** Whom the flags name to be told of closed batches, if anybody. */
async function webhookOf({ notify, notifySecretFile }: ServeFlags) {
  if (notify === undefined) {
    if (notifySecretFile !== undefined) throw new UsageError('--notify-secret-file goes with --notify.');
    return undefined;
  }
  try {
    return await readWebhook(notify, notifySecretFile, process.env);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
