import { FAILURES, DownloadError } from '../model/failure.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import { beginAttempt } from './attempt.ts';
import type { ByteBudget, Room } from './byte-budget.ts';
import type { FetchParts } from './downloader.ts';
import { readPart } from './part-request.ts';
import type { SourceDeps } from './source.ts';
import type { TimeLimit } from './time-limits.ts';
import { inStore } from './translate.ts';

/** Parts in a row that fail before the rest is given up. */
const MOST_FAULTS = 3;

export interface FetchPartsDeps extends SourceDeps {
  files: Pick<ObjectStore, 'putPart'>;
  budget: ByteBudget;
  limitTime: () => TimeLimit;
}

/**
 * Fetches parts for another worker's attempt. It has no patience: what fails again and again, and what a host says of
 * itself, is that attempt's to judge.
 */
export function createFetchParts(deps: FetchPartsDeps): FetchParts {
  return async (job) => {
    const { key, uploadId, partBytes, options, source } = job;
    const from = { ...source, options };
    const length = source.version.length ?? job.last * partBytes;
    using attempt = beginAttempt(job.signal, deps.limitTime());
    const { signal } = attempt;
    signal.throwIfAborted();
    const left = Array.from({ length: job.last - job.first + 1 }, (_, i) => job.first + i);
    const storing = new Set<Promise<void>>();
    let faults = 0;

    async function fetch(number: number): Promise<void> {
      const range = { from: (number - 1) * partBytes, to: Math.min(length, number * partBytes) };
      const room = deps.budget.open(range.to - range.from);
      try {
        await readPart(deps, from, range, room, signal);
      } catch (error) {
        room.release();
        throw error;
      }
      faults = 0;
      const sending = store(number, room).finally(() => storing.delete(sending));
      storing.add(sending);
    }

    async function store(number: number, room: Room): Promise<void> {
      try {
        job.landed(await inStore(deps.files.putPart(key, uploadId, number, room.buffer, { signal })));
      } catch (error) {
        attempt.fail(error);
      } finally {
        room.release();
      }
    }

    async function lane(): Promise<void> {
      for (let number = left.shift(); number !== undefined && !signal.aborted; number = left.shift()) {
        try {
          await fetch(number);
        } catch (error) {
          if (!isPassing(error) || ++faults >= MOST_FAULTS) attempt.fail(error);
          left.unshift(number);
        }
      }
    }

    await Promise.all(Array.from({ length: job.connections }, lane));
    await Promise.all(storing);
    signal.throwIfAborted();
  };
}

function isPassing(error: unknown): boolean {
  return error instanceof DownloadError && FAILURES[error.code].verdict === 'retry';
}
