import { Command } from 'commander';
import { serveCommand } from './commands/serve.ts';
import type { Context } from './context.ts';

/** Every command, in the order in which `--help` names them. */
const COMMANDS: readonly ((context: Context) => Command)[] = [serveCommand];

/** The command line. Parsing throws commander's own errors, which it has told of, and what the commands throw. */
export function createProgram(context: Context): Command {
  const program = new Command('downburst')
    .description('Downloads lists of links, on this machine or by a deployment.')
    .version(context.version, '--version', 'the version')
    .helpOption('-h, --help', 'this text')
    .helpCommand('help [command]', 'what a command does, and its flags')
    .configureHelp({ showGlobalOptions: false })
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
  for (const create of COMMANDS) {
    const command = create(context).copyInheritedSettings(program);
    program.addCommand(command);
  }
  return program;
}
