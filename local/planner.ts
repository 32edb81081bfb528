import { Worker } from 'node:worker_threads';
import type { Log } from './log.ts';
import type { FromThread, PlannerSettings, ThreadSettings } from './messages.ts';

/** A list of ten million entries takes 3 GB, of which its thread's own heap is the smaller part. */
const HEAP_MB = 2048;
/** Of it, for what does not live long, which is most: more would be filled with garbage before it is swept. */
const YOUNG_MB = 16;

export interface Planner {
  /** Has a list planned once those before it are. */
  start: (batchId: string) => void;
  /** Kills the thread at work; what it did not finish is begun again at the next start. */
  stop: () => Promise<void>;
}

/** Plans uploaded lists, one at a time, each in a thread of its own: so that neither time nor memory is the server's. */
export function createPlanner(deps: {
  /** What a thread runs: it speaks `messages.ts`. */
  script: URL;
  settings: ThreadSettings;
  log: Log;
  onMessage: (message: FromThread) => void;
}): Planner {
  const { script, settings, log, onMessage } = deps;
  const queue: string[] = [];
  let current: { worker: Worker; ended: Promise<void> } | undefined;
  let stopped = false;

  function next(): void {
    const batchId = stopped || current ? undefined : queue.shift();
    if (batchId === undefined) return;
    const workerData: PlannerSettings = { ...settings, role: 'planner', batchId };
    const worker = new Worker(script, {
      workerData,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB, maxYoungGenerationSizeMb: YOUNG_MB },
    });
    const ended = Promise.withResolvers<undefined>();
    current = { worker, ended: ended.promise };
    worker.on('message', onMessage);
    worker.on('error', (error) =>
      log.error(`the list of batch ${batchId} was not planned; it is tried again later`, error),
    );
    worker.on('exit', () => {
      current = undefined;
      ended.resolve(undefined);
      next();
    });
  }

  return {
    start(batchId) {
      if (!queue.includes(batchId)) queue.push(batchId);
      next();
    },
    async stop() {
      stopped = true;
      await current?.worker.terminate();
      await current?.ended;
    },
  };
}
