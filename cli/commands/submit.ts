import { basename } from 'node:path';
import { Command } from 'commander';
import { MAX_INLINE_LIST_BYTES } from '../../core/model/limits.ts';
import { addBatchOptions, batchWishes } from '../batch-options.ts';
import { createClient, type Submission } from '../client.ts';
import { addConnectionOptions, connect, type ConnectionFlags } from '../connection.ts';
import { dryRunText } from '../dry-run.ts';
import { UsageError } from '../exit.ts';
import { follow } from '../follow.ts';
import { addListOptions, openList, type ListFlags } from '../list.ts';
import { addOutputOptions, type OutputFlags } from '../reporters.ts';
import { jsonLine, printLines } from '../text.ts';

interface SubmitFlags extends ListFlags, OutputFlags, ConnectionFlags {
  name?: string;
  wait?: boolean;
  dryRun?: boolean;
}

/** `downburst submit`: starts a batch of a service. */
export function submitCommand(): Command {
  const command = new Command('submit')
    .summary('starts a batch of a service')
    .description('Starts a batch of a service and prints its id. A list larger than 4 MiB is uploaded first.');
  addListOptions(command)
    .option('--name <name>', "the batch's name (default: the list's)")
    .option('-w, --wait', 'follow it to its end, as downburst wait does')
    .option('-n, --dry-run', 'show hosts, shards, first files, estimated time and cost, and start nothing');
  addConnectionOptions(command);
  addOutputOptions(command);
  return addBatchOptions(command).action((args: string[], flags: SubmitFlags) => submit(command, args, flags));
}

async function submit(command: Command, args: string[], flags: SubmitFlags): Promise<void> {
  const connection = connect(flags);
  const { options, headers } = batchWishes(command);
  await using list = await openList(args, flags, process.stdin);
  const name = flags.name ?? (list.path === undefined ? undefined : basename(list.path).slice(0, 200));
  const submission: Submission = { list, name, options, headers };
  const client = createClient(connection);
  if (flags.dryRun) {
    if (list.bytes > MAX_INLINE_LIST_BYTES) {
      throw new UsageError('--dry-run takes lists of up to 4 MiB here; downburst get --dry-run takes larger ones.');
    }
    const plan = await client.dryRun(submission);
    printLines(flags.json ? jsonLine(plan) : dryRunText(plan));
    return;
  }
  const batch = await client.submit(submission);
  if (flags.wait) {
    await follow((signal) => createClient(connection, signal), batch.id, flags);
    return;
  }
  printLines(flags.json ? jsonLine(batch) : batch.id);
  if (!flags.json && !flags.quiet) process.stderr.write(`Follow it with: downburst wait ${batch.id}\n`);
}
