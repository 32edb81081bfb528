import { clearLine, cursorTo } from 'node:readline';
import type { WriteStream } from 'node:tty';
import type { StatusDocument } from '../http/documents.ts';

const BAR_WIDTH = 20;

/** A batch's progress after so many seconds, in one line of fewer than 80 characters. */
export function progressLine(status: StatusDocument, seconds: number): string {
  const settled = status.total - status.pending;
  const share = settled / status.total;
  const bar = '#'.repeat(Math.floor(share * BAR_WIDTH)).padEnd(BAR_WIDTH, '.');
  const parts = [
    `${bar} ${Math.floor(100 * share)}%`,
    `${settled}/${status.total} files`,
    megabytes(status.bytes),
    `${Math.round(seconds)} s`,
  ];
  if (status.failed > 0) parts.push(`${status.failed} failed`);
  if (status.retrying > 0) parts.push(`${status.retrying} retrying`);
  return parts.join('  ');
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(bytes < 10_000_000 ? 1 : 0)} MB`;
}

export interface Progress {
  show: (status: StatusDocument, seconds: number) => void;
  end: () => void;
}

/** Shows progress: in place on a terminal, else by a new line whenever more files are settled. */
export function createProgress(stream: WriteStream): Progress {
  let pending: number | undefined;
  return {
    show(status, seconds) {
      const line = progressLine(status, seconds);
      if (stream.isTTY) {
        cursorTo(stream, 0);
        // A line that wraps could not be written over.
        stream.write(line.slice(0, stream.columns - 1));
        clearLine(stream, 1);
      } else if (status.pending !== pending) {
        stream.write(`${line}\n`);
      }
      pending = status.pending;
    },
    end() {
      if (stream.isTTY) stream.write('\n');
    },
  };
}
