import { mkdir, realpath } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { createTree } from '../../adapters/files/tree.ts';
import { createClient } from '../client.ts';
import { addConnectionOptions, connect, type ConnectionFlags } from '../connection.ts';
import { EXIT, UsageError } from '../exit.ts';
import { interruptible } from '../follow.ts';
import { pull } from '../pull.ts';
import { addOutputOptions, createReporter, type OutputFlags } from '../reporters.ts';
import { wholeNumber } from '../values.ts';

/** Where parts of files lie until they are whole, in the folder itself. */
const STATE_FOLDER = '.downburst';
const DEFAULT_LANES = 16;

interface PullFlags extends ConnectionFlags, OutputFlags {
  parallel: number;
  wait?: boolean;
}

/** `downburst pull`: the files of a batch to this machine. */
export function pullCommand(): Command {
  const command = new Command('pull')
    .summary('gets the files of a batch to this machine')
    .description(
      'Gets the files that a batch has stored into a folder, by their keys. Files that are there and whole are passed ' +
        'over; a file of the same name that is another one is replaced. Run it again after Ctrl-C to go on.',
    )
    .argument('<batch>', "the batch's id")
    .argument('<folder>', 'where the files go')
    .addOption(
      new Option('-j, --parallel <n>', 'files at once')
        .default(DEFAULT_LANES)
        .argParser(wholeNumber('--parallel', { min: 1, max: 256 })),
    )
    .option('-w, --wait', 'go on until the batch is closed');
  addConnectionOptions(command);
  return addOutputOptions(command).action((id: string, folder: string, flags: PullFlags) => pullTo(id, folder, flags));
}

async function pullTo(id: string, folder: string, flags: PullFlags): Promise<void> {
  const connection = connect(flags);
  const root = await ownFolder(resolve(folder));
  const state = await ownFolder(join(root, STATE_FOLDER), 0o700);
  const tree = createTree(root, [state], state);
  const reporter = await createReporter(flags, () => `Into ${root}`);
  try {
    await interruptible(
      async (signal) => {
        const options = {
          tree,
          partsFolder: join(state, 'parts'),
          lanes: flags.parallel,
          wait: flags.wait === true,
          base: connection.base,
          signal,
        };
        const { failed, status } = await pull(createClient(connection, signal), id, reporter, options);
        process.exitCode = failed > 0 ? EXIT.failed : EXIT.ok;
        if (status.finishedAt === undefined && !flags.quiet && !flags.json) {
          process.stderr.write('The batch is not at its end; run it again for the rest, or with --wait.\n');
        }
      },
      flags.quiet ? '' : 'Interrupted. Run the same command again to go on.\n',
    );
  } finally {
    reporter.close();
  }
}

/** Makes a folder if it is missing, and answers its real path. Errors: `UsageError`. */
async function ownFolder(path: string, mode?: number): Promise<string> {
  try {
    await mkdir(path, { recursive: true, ...(mode !== undefined && { mode }) });
    return await realpath(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${path} cannot be used as a folder: ${reason}.`, { cause: error });
  }
}
