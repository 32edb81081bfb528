import { join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import type { StatusDocument } from '../../http/documents.ts';
import type { Fetch } from '../../local/api.ts';
import { startEmbedded } from '../../local/embedded.ts';
import { addBatchOptions, batchWishes } from '../batch-options.ts';
import { createClient, type Client, type Submission } from '../client.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit.ts';
import { untilInterrupted } from '../interrupt.ts';
import { addListOptions, digestOf, openList, type ListFlags } from '../list.ts';
import { addOutputOptions, createReporter, type OutputFlags } from '../reporters.ts';
import { exitOf } from '../settled.ts';
import { jsonLine, printLines } from '../text.ts';
import { folder } from '../values.ts';
import { LOCAL_PAUSES, watch } from '../watch.ts';
import { workerOptions } from '../worker-options.ts';

/** Where a folder's downloads are remembered, in the folder itself. */
const STATE_FOLDER = '.downburst';
/** The service in this process needs an address to be called by, and nobody else hears of it. */
const BASE = 'http://localhost';

interface GetFlags extends ListFlags, OutputFlags {
  outputDir: string;
  workers: number;
  allowNetwork: string[];
  dryRun?: boolean;
}

/** `downburst get`: the whole job on this machine, by an embedded service that nobody else sees. */
export function getCommand(context: Context): Command {
  const command = new Command('get')
    .summary('downloads a list of links to this machine')
    .description(
      'Downloads a list of links into a folder. After Ctrl-C or a crash, the same command goes on where it was; ' +
        'after the end, it tries again what failed, and skips what is there.',
    );
  addListOptions(command)
    .addOption(
      new Option('-o, --output-dir <folder>', 'where the files go')
        .default('.', 'the current folder')
        .argParser(folder('--output-dir')),
    )
    .option('-n, --dry-run', 'show hosts, shards, first files and estimated time, and start nothing');
  addOutputOptions(command);
  addBatchOptions(command);
  for (const option of workerOptions()) command.addOption(option.helpGroup('Downloads:'));
  return command.action((args: string[], flags: GetFlags) => get(context, command, args, flags));
}

async function get({ threadScript }: Context, command: Command, args: string[], flags: GetFlags): Promise<void> {
  const { options, headers } = batchWishes(command);
  await using list = await openList(args, flags, process.stdin);
  const submission: Submission = { list, options: { prefix: '', ...options }, headers };
  if (flags.dryRun) {
    const { dryRunHere, dryRunText } = await import('../dry-run.ts');
    const plan = await dryRunHere(submission, flags.workers);
    printLines(flags.json ? jsonLine(plan) : dryRunText(plan));
    return;
  }

  const root = resolve(flags.outputDir);
  const reporter = await createReporter(flags, () => `Into ${root}`);
  const interrupted = untilInterrupted(() => {
    reporter.close();
    if (!flags.quiet) process.stderr.write('Stopping; press Ctrl-C again not to wait for it.\n');
  });
  const closed = new AbortController();
  let id = '';
  try {
    const embedded = await startEmbedded({
      folders: { root, files: root, state: join(root, STATE_FOLDER) },
      folderFlag: '--output-dir',
      workers: flags.workers,
      allowedNetworks: flags.allowNetwork,
      log: { info: () => undefined, error: (message) => reporter.warning(message) },
      threadScript,
      onClosed(batchId) {
        if (batchId === id) closed.abort();
      },
      async beforeWork(api) {
        id = await batchFor(createClient({ base: BASE, fetch: asIfServed(api) }), submission);
      },
    });
    let status: StatusDocument | undefined;
    try {
      const client = createClient({ base: BASE, fetch: asIfServed(embedded.fetch) }, interrupted);
      status = await watch(client, id, reporter, {
        signal: interrupted,
        closed: closed.signal,
        pauseMs: LOCAL_PAUSES,
      });
      if (status.finishedAt !== undefined) await client.remove(id);
    } finally {
      reporter.close();
      await embedded.close();
    }
    process.exitCode = exitOf(status);
    if (flags.quiet || flags.json) return;
    if (status.reason !== undefined) process.stderr.write('The quota is used up; go on with a larger --quota.\n');
    else if (status.failed > 0) process.stderr.write(adviceFor(status));
  } catch (error) {
    if (!interrupted.aborted) throw error;
    if (!flags.quiet) process.stderr.write('Interrupted. Run the same command again to go on.\n');
    process.exitCode = EXIT.interrupted;
  }
}

/** What to do about what failed. */
function adviceFor({ failures }: StatusDocument): string {
  const again = 'Run the same command again to try once more what failed.\n';
  if (failures.BLOCKED_ADDRESS === undefined) return again;
  return `Addresses that are not public are left alone, unless --allow-network names their network.\n${again}`;
}

/**
 * The batch of this list in the folder: the one that an earlier run began, or a new one. Batches of other lists that are
 * not closed are paused: they go on when they are asked for again.
 *
 * @returns its id
 */
async function batchFor(client: Client, submission: Submission): Promise<string> {
  const { list, options, headers } = submission;
  const name = `get ${await digestOf(list, { options, headers })}`;
  let own: string | undefined;
  let cursor: string | undefined;
  do {
    const page = await client.batches({ limit: 100, cursor });
    cursor = page.nextCursor;
    for (const batch of page.batches) {
      if (batch.finishedAt !== undefined) await client.remove(batch.id);
      else if (batch.name !== name) await setAside(client, batch);
      else if (batch.state === 'paused') own = (await client.control(batch.id, 'resume')).id;
      else if (batch.state !== 'cancelling') own = batch.id;
    }
  } while (cursor !== undefined);
  return own ?? (await client.submit({ ...submission, name })).id;
}

async function setAside(client: Client, { id, state }: { id: string; state: StatusDocument['state'] }): Promise<void> {
  if (state === 'running') await client.control(id, 'pause');
  // Nothing of it is there yet.
  if (state === 'planning') await client.control(id, 'cancel');
}

/** Calls an API in this process as a client on this machine would. */
function asIfServed(api: Fetch): Fetch {
  return (request) => {
    const headers = new Headers(request.headers);
    headers.set('host', new URL(request.url).host);
    return api(new Request(request, { headers }));
  };
}
