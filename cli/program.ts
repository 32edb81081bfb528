import { Command } from 'commander';
import type { Context } from './context.ts';

type Create = (context: Context) => Command;

interface Group {
  title: string;
  /** By its name, each with the import of what it takes: a command's start is no longer for what others need. */
  commands: Readonly<Record<string, () => Promise<Create>>>;
}

const batches = () => import('./commands/batches.ts');

/** Every command, in the order in which `--help` names them. */
const GROUPS: readonly Group[] = [
  {
    title: 'On this machine:',
    commands: {
      get: async () => (await import('./commands/get.ts')).getCommand,
      serve: async () => (await import('./commands/serve.ts')).serveCommand,
    },
  },
  {
    title: 'With a service, here or on AWS:',
    commands: {
      submit: async () => (await import('./commands/submit.ts')).submitCommand,
      wait: async () => (await batches()).waitCommand,
      status: async () => (await batches()).statusCommand,
      files: async () => (await batches()).filesCommand,
      pull: async () => (await import('./commands/pull.ts')).pullCommand,
      retry: async () => (await batches()).retryCommand,
      pause: async () => (await batches()).pauseCommand,
      resume: async () => (await batches()).resumeCommand,
      cancel: async () => (await batches()).cancelCommand,
      ls: async () => (await batches()).lsCommand,
      dashboard: async () => (await import('./commands/dashboard.ts')).dashboardCommand,
    },
  },
];

/**
 * The command line. Parsing throws commander's own errors, which it has told of, and what the commands throw.
 *
 * @param only the one command that is loaded; all of them if it is left out, or is none
 */
export async function createProgram(context: Context, only?: string): Promise<Command> {
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
  const all = GROUPS.flatMap(({ title, commands }) =>
    Object.entries(commands).map(([name, load]) => ({ name, load, title })),
  );
  const one = all.filter(({ name }) => name === only);
  for (const { load, title } of one.length > 0 ? one : all) {
    const create = await load();
    program.addCommand(create(context).copyInheritedSettings(program).helpGroup(title));
  }
  return program;
}
