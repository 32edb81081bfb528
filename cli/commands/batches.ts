import { Command, Option } from 'commander';
import { OPTION_RANGES } from '../../core/model/options.ts';
import type { FileDocument } from '../../http/documents.ts';
import { readHeaders } from '../batch-options.ts';
import { createClient, type Client, type Verb } from '../client.ts';
import { addConnectionOptions, connect, type ConnectionFlags } from '../connection.ts';
import { follow, interruptible } from '../follow.ts';
import { addOutputOptions, type OutputFlags } from '../reporters.ts';
import { batchText, fileText, statusText } from '../status-text.ts';
import { jsonLine, printLines } from '../text.ts';
import { bytes, collect, wholeNumber } from '../values.ts';

/** Commands about batches that a service has. */

type Flags = ConnectionFlags & OutputFlags;

const PAGE = 1000;

/** A command about one batch of a service; the description's first sentence says it in short. */
function batchCommand(name: string, description: string): Command {
  const [summary = ''] = description.split(/[.,:]/, 1);
  const command = new Command(name)
    .summary(summary.charAt(0).toLowerCase() + summary.slice(1))
    .description(description)
    .argument('<batch>', "the batch's id");
  return addConnectionOptions(command);
}

function jsonOption(description: string): Option {
  return new Option('--json', description);
}

export function statusCommand(): Command {
  return batchCommand('status', 'Says how far a batch is.')
    .addOption(jsonOption('the document as the API has it'))
    .action(async (id: string, flags: Flags) => {
      const status = await createClient(connect(flags)).status(id);
      printLines(flags.json ? jsonLine(status) : statusText(status));
    });
}

export function waitCommand(): Command {
  return addOutputOptions(
    batchCommand('wait', 'Follows a batch to its end. Ctrl-C ends the following, not the batch.'),
  ).action((id: string, flags: Flags) => {
    const connection = connect(flags);
    return follow((signal) => createClient(connection, signal), id, flags);
  });
}

export function pauseCommand(): Command {
  return controlCommand('pause', 'Pauses a batch: what is under way is begun again later.');
}

export function cancelCommand(): Command {
  return controlCommand('cancel', 'Cancels what is left of a batch; files that are there stay.');
}

/** `cancel` and `pause`: they take nothing but the batch. */
function controlCommand(verb: Verb, description: string): Command {
  return batchCommand(verb, description)
    .addOption(jsonOption('the status as the API has it'))
    .action((id: string, flags: Flags) => control(id, verb, flags));
}

export function resumeCommand(): Command {
  const flag = '--quota';
  return batchCommand('resume', 'Lets a paused batch go on.')
    .addOption(jsonOption('the status as the API has it'))
    .addOption(
      new Option(`-Q, ${flag} <bytes>`, 'a higher limit of all files together, as 2T').argParser(
        bytes(flag, OPTION_RANGES.maxTotalBytes),
      ),
    )
    .action((id: string, flags: Flags & { quota?: number }) =>
      control(id, 'resume', flags, flags.quota === undefined ? undefined : { maxTotalBytes: flags.quota }),
    );
}

async function control(id: string, verb: Verb, flags: Flags, body?: { maxTotalBytes: number }): Promise<void> {
  const status = await createClient(connect(flags)).control(id, verb, body);
  printLines(flags.json ? jsonLine(status) : statusText(status));
}

export function retryCommand(): Command {
  const command = batchCommand('retry', 'Starts a batch of what failed in another one, and prints its id.')
    .option('-c, --code <code>', 'only entries that failed so (docs/failures.md); may be repeated', collect(String))
    .option('-H, --header <line>', "a request header, 'Name: value', or @FILE; may be repeated", collect(String))
    .option('--name <name>', "the batch's name (default: the old one's)")
    .option('-w, --wait', 'follow it to its end, as downburst wait does');
  return addOutputOptions(command).action(
    async (id: string, flags: Flags & { code?: string[]; header?: string[]; name?: string; wait?: boolean }) => {
      const { code: codes, name } = flags;
      const connection = connect(flags);
      const body = {
        ...(codes && { codes: codes.flatMap((code) => code.split(',')) }),
        ...(flags.header && { headers: readHeaders(flags.header) }),
        ...(name !== undefined && { name }),
      };
      const batch = await createClient(connection).retry(id, body);
      if (flags.wait) await follow((signal) => createClient(connection, signal), batch.id, flags);
      else printLines(flags.json ? jsonLine(batch) : batch.id);
    },
  );
}

export function filesCommand(): Command {
  return batchCommand(
    'files',
    'Lists how entries ended, one a line: index, state, bytes, key; of failed ones index, state, code, URL, message.',
  )
    .addOption(new Option('-s, --state <state>', 'only those').choices(['done', 'failed', 'skipped']))
    .option('-l, --links', 'with a link to each file, good for 15 minutes')
    .addOption(jsonOption('one JSON document a line; failed ones are a list that can be submitted again'))
    .action((id: string, flags: Flags & { state?: FileDocument['state']; links?: boolean }) =>
      interruptible(async (signal) => {
        const { state, links = false, json } = flags;
        for await (const file of outcomes(createClient(connect(flags), signal), id, { state, links })) {
          printLines(json ? jsonLine(file) : fileText(file));
        }
      }),
    );
}

/** Every outcome that there is by now. */
async function* outcomes(
  client: Client,
  id: string,
  query: { state: FileDocument['state'] | undefined; links: boolean },
): AsyncGenerator<FileDocument> {
  for (let cursor: string | undefined; ;) {
    const page = await client.files(id, { ...query, limit: PAGE, cursor });
    yield* page.files;
    // While a batch runs there is always another page.
    if (page.nextCursor === undefined || (page.files.length === 0 && page.nextCursor === cursor)) return;
    cursor = page.nextCursor;
  }
}

export function lsCommand(): Command {
  const command = new Command('ls')
    .summary('lists the batches of a service')
    .description('Lists the batches of a service, the newest first: id, time, state, files, name.')
    .addOption(
      new Option('-n, --limit <n>', 'how many')
        .default(20)
        .argParser(wholeNumber('--limit', { min: 1, max: 1_000_000 })),
    )
    .addOption(jsonOption('one JSON document a line'));
  return addConnectionOptions(command).action((flags: Flags & { limit: number }) =>
    interruptible(async (signal) => {
      const client = createClient(connect(flags), signal);
      let cursor: string | undefined;
      for (let left = flags.limit; left > 0;) {
        const page = await client.batches({ limit: Math.min(left, PAGE), cursor });
        for (const batch of page.batches) printLines(flags.json ? jsonLine(batch) : batchText(batch));
        left -= page.batches.length;
        cursor = page.nextCursor;
        if (cursor === undefined) return;
      }
    }),
  );
}
