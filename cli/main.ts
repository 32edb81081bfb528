import { readFile } from 'node:fs/promises';
import { CommanderError } from 'commander';
import { visible } from '../core/model/text.ts';
import { ProblemError } from '../http/problem-error.ts';
import { StartError } from '../local/start-error.ts';
import { EXIT, UnreachableError, UsageError, type ExitCode } from './exit.ts';
import { problemText } from './problem.ts';
import { createProgram } from './program.ts';

/**
 * Runs the command that the arguments name, and sets the process's exit code.
 *
 * @param threadScript what the process runs, and threads of the embedded service
 */
export async function main(args: readonly string[], threadScript: URL): Promise<void> {
  // Whoever read what is printed wants no more of it.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(EXIT.failed);
      throw error;
    });
  }
  try {
    const program = await createProgram({ version: await version(threadScript), threadScript }, args[0]);
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    process.exitCode = tell(error);
  }
}

/** Of the package, in whose root both the sources' folder and that of the built files are. */
async function version(script: URL): Promise<string> {
  const text = await readFile(new URL('../package.json', script), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** Tells what went wrong. */
function tell(error: unknown): ExitCode {
  // Commander has said it.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const foreseen = foreseenExit(error);
  if (foreseen !== undefined) {
    const text = error instanceof ProblemError ? problemText(error.problem) : (error as Error).message;
    const lines = text.split('\n').map((line) => visible(line));
    process.stderr.write(`${lines.join('\n')}\n`);
    return foreseen;
  }
  process.stderr.write('Downburst stopped of an error that it did not foresee.\n');
  console.error(error);
  return EXIT.failed;
}

function foreseenExit(error: unknown): ExitCode | undefined {
  if (error instanceof UsageError) return EXIT.usage;
  if (error instanceof ProblemError) return error.problem.status < 500 ? EXIT.usage : EXIT.failed;
  if (error instanceof UnreachableError) return EXIT.unreachable;
  if (error instanceof StartError) return EXIT.failed;
  return undefined;
}
