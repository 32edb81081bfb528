import { Option, type Command } from 'commander';
import { createLogUpdate } from 'log-update';
import type { FileDocument, StatusDocument } from '../http/documents.ts';
import { redactUrl } from '../core/model/redact.ts';
import { paintFor, progressBlock, progressText, summaryText, type WorstHosts } from './progress.ts';
import { count, counted, visible } from '../core/model/text.ts';
import { jsonLine } from './text.ts';
import type { Reporter } from './watch.ts';

/** How much a command tells, and to whom. */
export interface OutputFlags {
  json?: boolean;
  quiet?: boolean;
  verbose?: boolean;
}

/** A picture every so often, so that the clock moves. */
const TICK_MS = 200;
/** Lines of progress are no closer. */
const LOG_PAUSE_MS = 10_000;
/** Hosts that are told apart; the failures of more are not counted by host. */
const MAX_HOSTS = 10_000;
const SHOWN_HOSTS = 3;
/** Failed files that are named at the end of what a terminal shows. */
const SHOWN_FAILURES = 10;
const DEFAULT_WIDTH = 80;

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
export function createReporter(flags: OutputFlags, title: (status: StatusDocument) => string = batchTitle): Reporter {
  if (flags.json) return createJsonReporter(process.stdout);
  if (flags.quiet) return createQuietReporter(process.stderr);
  const isTerminal = process.stderr.isTTY && process.env.TERM !== 'dumb';
  return isTerminal && !flags.verbose
    ? createTerminalReporter(process.stderr, title)
    : createLogReporter(process.stderr, title, flags.verbose === true);
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
    file: (file) => line(file.state === 'done' ? 'stored' : file.state, fileText(file)),
    warning: (text) => line('warning', text),
    ended: (status) => line(status.state, summaryText(status, (performance.now() - startedAt) / 1000)),
    close: nothing,
  };
}

/** A block that is painted over while the batch runs, and what remains of it: sentences. */
function createTerminalReporter(stream: NodeJS.WriteStream, title: (status: StatusDocument) => string): Reporter {
  const live = createLogUpdate(stream);
  const paint = paintFor(stream);
  const startedAt = performance.now();
  const hosts = createHostTally();
  const failures: FileDocument[] = [];
  let failed = 0;
  let current: { status: StatusDocument; at: number } | undefined;

  const paintNow = () => {
    if (!current) return;
    const now = performance.now();
    const at = {
      seconds: (now - startedAt) / 1000,
      sinceStatus: (now - current.at) / 1000,
      width: (stream.columns || DEFAULT_WIDTH) - 1,
    };
    live(progressBlock(current.status, hosts.worst(), at, paint));
  };
  const timer = setInterval(paintNow, TICK_MS).unref();
  const above = (text: string) => {
    live.clear();
    stream.write(`${text}\n`);
    paintNow();
  };

  return {
    outcomes: 'failed',
    started: (status) => above(visible(startText(status, title))),
    progress(status) {
      current = { status, at: performance.now() };
      paintNow();
    },
    file(file) {
      failed += 1;
      hosts.add(file);
      if (failures.length < SHOWN_FAILURES) failures.push(file);
    },
    warning: (text) => above(paint('yellow', visible(text))),
    ended(status) {
      paintNow();
      live.done();
      current = undefined;
      for (const file of failures) stream.write(`${paint('red', 'failed')}  ${visible(fileText(file))}\n`);
      if (failed > failures.length) stream.write(`… and ${count(failed - failures.length)} more that failed\n`);
      stream.write(`${summaryText(status, (performance.now() - startedAt) / 1000)}\n`);
    },
    close() {
      clearInterval(timer);
      current = undefined;
      live.done();
    },
  };
}

/** Counts failures by host. */
function createHostTally(): { add: (file: FileDocument) => void; worst: () => WorstHosts } {
  const failures = new Map<string, number>();
  return {
    add({ url }) {
      const host = URL.parse(url)?.host ?? '';
      const known = failures.get(host);
      if (host !== '' && (known !== undefined || failures.size < MAX_HOSTS)) failures.set(host, (known ?? 0) + 1);
    },
    worst: () => [...failures].sort(([, a], [, b]) => b - a).slice(0, SHOWN_HOSTS),
  };
}

function batchTitle({ id, name }: StatusDocument): string {
  return `Batch ${id}${name === undefined ? '' : ` (${name})`}`;
}

function startText(status: StatusDocument, title: (status: StatusDocument) => string): string {
  const { state, total, duplicates, pending } = status;
  if (state === 'planning') return `${title(status)}: reading the list`;
  const settled = pending < total ? `, ${count(total - pending)} of them settled already` : '';
  const doubles = duplicates > 0 ? `, ${counted(duplicates, 'duplicate')} left out` : '';
  return `${title(status)}: ${counted(total, 'file')}${settled}${doubles}`;
}

/** A URL's query may be a secret, and logs are kept. */
function fileText({ url, key, code, message, state }: FileDocument): string {
  const source = redactUrl(url);
  if (state === 'failed') return `${source} ${code ?? ''}${message === undefined ? '' : `: ${message}`}`;
  return `${source} ${state === 'done' ? 'as' : 'was there as'} ${key}`;
}
