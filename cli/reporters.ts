import { Option, type Command } from 'commander';
import { visible } from '../core/model/text.ts';
import type { StatusDocument } from '../http/documents.ts';
import { outcomeText, progressText, startText, summaryText } from './progress.ts';
import { jsonLine } from './text.ts';
import type { Reporter } from './watch.ts';

/** How much a command tells, and to whom. */
export interface OutputFlags {
  json?: boolean;
  quiet?: boolean;
  verbose?: boolean;
}

/** Lines of progress are no closer. */
const LOG_PAUSE_MS = 10_000;

/** Adds the flags of every command that follows a batch. */
export function addOutputOptions(command: Command): Command {
  const group = 'Output:';
  return command
    .addOption(new Option('-q, --quiet', 'tell nothing but errors').helpGroup(group))
    .addOption(new Option('-v, --verbose', 'one line of log for each file').helpGroup(group))
    .addOption(
      new Option('--json', 'one JSON document a line, to standard output')
        .conflicts(['quiet', 'verbose'])
        .helpGroup(group),
    );
}

/**
 * The reporter that the flags and the terminal ask for. Progress goes to stderr, `--json` to stdout.
 *
 * @param title what the batch is, in words
 */
export async function createReporter(
  flags: OutputFlags,
  title: (status: StatusDocument) => string = batchTitle,
): Promise<Reporter> {
  if (flags.json) return createJsonReporter(process.stdout);
  if (flags.quiet) return createQuietReporter(process.stderr);
  const isTerminal = process.stderr.isTTY && process.env.TERM !== 'dumb';
  if (!isTerminal || flags.verbose) return createLogReporter(process.stderr, title, flags.verbose === true);
  // Loaded for those who look.
  const { createTerminalReporter } = await import('./terminal-reporter.ts');
  return createTerminalReporter(process.stderr, title);
}

const nothing = () => undefined;

/** Tells nothing but warnings of the service's own troubles. */
function createQuietReporter(stream: NodeJS.WritableStream): Reporter {
  return {
    outcomes: 'failed',
    started: nothing,
    progress: nothing,
    file: nothing,
    warning: (text) => void stream.write(`${visible(text)}\n`),
    ended: nothing,
    close: nothing,
  };
}

/** One JSON document a line: `{"event": "started" | "progress" | "file" | "warning" | "ended", …}`. */
function createJsonReporter(stream: NodeJS.WritableStream): Reporter {
  const tell = (event: string, more: object) => void stream.write(jsonLine({ event, ...more }));
  let last = '';
  return {
    outcomes: 'all',
    started: (batch) => tell('started', { batch }),
    progress(batch) {
      // What only the clock has changed is no news.
      const news = JSON.stringify([batch.state, batch.pending, batch.bytes, batch.retrying, batch.linesPlanned]);
      if (news !== last) tell('progress', { batch });
      last = news;
    },
    file: (file) => tell('file', { file }),
    warning: (message) => tell('warning', { message }),
    ended: (batch) => tell('ended', { batch }),
    close: nothing,
  };
}

/** One line per event, for what is no terminal. */
function createLogReporter(
  stream: NodeJS.WritableStream,
  title: (status: StatusDocument) => string,
  verbose: boolean,
): Reporter {
  const line = (event: string, text: string) =>
    void stream.write(`${new Date().toISOString()} ${event} ${visible(text)}\n`);
  const startedAt = performance.now();
  let toldAt = -Infinity;
  let last = '';
  return {
    outcomes: verbose ? 'all' : 'failed',
    started: (status) => line('started', startText(status, title)),
    progress(status) {
      const news = `${status.state} ${status.pending}`;
      if (
        status.pending === status.total ||
        news === last ||
        performance.now() - toldAt < LOG_PAUSE_MS ||
        status.finishedAt !== undefined
      )
        return;
      line('progress', progressText(status));
      last = news;
      toldAt = performance.now();
    },
    file: (file) => line(file.state === 'done' ? 'stored' : file.state, outcomeText(file)),
    warning: (text) => line('warning', text),
    ended: (status) => line(status.state, summaryText(status, (performance.now() - startedAt) / 1000)),
    close: nothing,
  };
}

function batchTitle({ id, name }: StatusDocument): string {
  return `Batch ${id}${name === undefined ? '' : ` (${name})`}`;
}
