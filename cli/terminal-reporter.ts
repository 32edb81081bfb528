import { createLogUpdate } from 'log-update';
import { count, visible } from '../core/model/text.ts';
import type { FileDocument, StatusDocument } from '../http/documents.ts';
import { outcomeText, paintFor, progressBlock, startText, summaryText, type WorstHosts } from './progress.ts';
import type { Reporter } from './watch.ts';

/** A picture every so often, so that the clock moves. */
const TICK_MS = 200;
/** Hosts that are told apart; the failures of more are not counted by host. */
const MAX_HOSTS = 10_000;
const SHOWN_HOSTS = 3;
/** Failed files that are named at the end of what a terminal shows. */
const SHOWN_FAILURES = 10;
const DEFAULT_WIDTH = 80;

/** A block that is painted over while the batch runs, and what remains of it: sentences. */
export function createTerminalReporter(
  stream: NodeJS.WriteStream,
  title: (status: StatusDocument) => string,
): Reporter {
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
      for (const file of failures) stream.write(`${paint('red', 'failed')}  ${visible(outcomeText(file))}\n`);
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
