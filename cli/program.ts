import { Command } from 'commander';
import {
  controlCommand,
  filesCommand,
  lsCommand,
  resumeCommand,
  retryCommand,
  statusCommand,
  waitCommand,
} from './commands/batches.ts';
import { dashboardCommand } from './commands/dashboard.ts';
import { getCommand } from './commands/get.ts';
import { pullCommand } from './commands/pull.ts';
import { serveCommand } from './commands/serve.ts';
import { submitCommand } from './commands/submit.ts';
import type { Context } from './context.ts';

interface Group {
  title: string;
  commands: readonly ((context: Context) => Command)[];
}

/** Every command, in the order in which `--help` names them. */
const GROUPS: readonly Group[] = [
  { title: 'On this machine:', commands: [getCommand, serveCommand] },
  {
    title: 'With a service, here or on AWS:',
    commands: [
      submitCommand,
      waitCommand,
      statusCommand,
      filesCommand,
      pullCommand,
      retryCommand,
      () => controlCommand('pause', 'Pauses a batch: what is under way is begun again later.'),
      resumeCommand,
      () => controlCommand('cancel', 'Cancels what is left of a batch; files that are there stay.'),
      lsCommand,
      dashboardCommand,
    ],
  },
];

/** The command line. Parsing throws commander's own errors, which it has told of, and what the commands throw. */
export function createProgram(context: Context): Command {
  const program = new Command('downburst')
    .description('Downloads lists of links, on this machine or by a deployment.')
    .version(context.version, '--version', 'the version')
    .helpOption('-h, --help', 'this text')
    .helpCommand('help [command]', 'says what a command does, and its flags')
    .configureOutput({
      // In one line, suggestion included.
      outputError: (text, write) =>
        write(
          `${text
            .trim()
            .replace(/^error: /, '')
            .replaceAll('\n', ' ')}\n`,
        ),
    })
    .exitOverride();
  for (const { title, commands } of GROUPS) {
    for (const create of commands) program.addCommand(create(context).copyInheritedSettings(program).helpGroup(title));
  }
  return program;
}
