import { Worker } from 'node:worker_threads';
import type { Clock } from '../core/ports/clock.ts';
import type { Delivery } from '../core/ports/tickets.ts';
import type { Log } from './log.ts';
import type { FromThread, FromWorker, ToWorker, WorkerSettings } from './messages.ts';

/**
 * Turns of one thread at a time. A turn lasts as long as its downloads, and who waits for one may wait for hours, so
 * that there is room for the shards of dozens of batches; what they share is memory, which the byte budget bounds.
 */
export const TURNS_PER_THREAD = 64;
/**
 * Of a thread's heap, for what does not live long, in MB. With less a small file's own are taken for old ones: it is swept three
 * times as often. With more it is filled with garbage before it is swept, which is resident and saves nothing.
 */
const YOUNG_MB = 16;
/**
 * Of a thread's heap, for the rest, in MB: bodies are not in it, and waiting lists have a limit. The more a heap may grow the
 * later it is swept: without a limit two threads at a list of a million take 230 MB more (bench/million.ts).
 */
const OLD_MB = 512;
/** What a thread's heap may take. */
export const HEAP_LIMITS = { maxOldGenerationSizeMb: OLD_MB, maxYoungGenerationSizeMb: YOUNG_MB };
/** A thread that died is replaced after this pause, so that one that dies at once does not eat a core. */
const RESTART_DELAY_MS = 1000;

export interface WorkerPoolDeps {
  /** What a thread runs: it speaks `messages.ts`. */
  script: URL;
  settings: WorkerSettings;
  clock: Clock;
  log: Log;
  /** What threads have to say besides how their turns ended. */
  onMessage: (message: FromThread) => void;
}

export interface WorkerPool {
  /** Turns that could begin now. */
  free: () => number;
  /** Takes a turn in the least loaded thread. Errors: what the turn threw; an `Error` if its thread died. */
  run: (delivery: Delivery) => Promise<'acknowledge' | 'keep'>;
  /** Ends all turns at their next checkpoint, then the threads; those that have not ended after `graceMs` are killed. */
  stop: (graceMs: number) => Promise<void>;
}

interface Turn {
  resolve: (result: 'acknowledge' | 'keep') => void;
  reject: (error: unknown) => void;
}

interface Thread {
  worker: Worker;
  turns: Map<number, Turn>;
  exited: Promise<void>;
}

/** Starts the worker threads; resolves when all of them are ready. Errors: what kept one from starting. */
export async function createWorkerPool(deps: WorkerPoolDeps): Promise<WorkerPool> {
  const { settings, clock, log } = deps;
  const threads = new Set<Thread>();
  const stopping = new AbortController();
  let lastTurn = 0;

  /** Resolves once the thread is ready, rejects if it dies before. */
  async function start(): Promise<void> {
    const worker = new Worker(deps.script, {
      workerData: settings,
      resourceLimits: HEAP_LIMITS,
    });
    const turns = new Map<number, Turn>();
    const ready = Promise.withResolvers<undefined>();
    const exited = Promise.withResolvers<undefined>();
    const thread: Thread = { worker, turns, exited: exited.promise.then(() => undefined) };
    threads.add(thread);

    let death: unknown;
    worker.on('error', (error) => {
      death = error;
    });
    worker.on('exit', (code) => {
      threads.delete(thread);
      exited.resolve(undefined);
      const error = new Error(`A worker thread ended with code ${code}.`, { cause: death });
      ready.reject(error);
      for (const turn of turns.values()) turn.reject(error);
    });
    worker.on('message', (message: FromWorker) => {
      if (message.kind === 'ready') ready.resolve(undefined);
      else receive(turns, message);
    });

    await ready.promise;
    void thread.exited.then(() => replace(death));
  }

  function receive(turns: Map<number, Turn>, message: Exclude<FromWorker, { kind: 'ready' }>): void {
    if (message.kind === 'ended') turns.get(message.turn)?.resolve(message.result);
    else if (message.kind === 'failed') turns.get(message.turn)?.reject(message.error);
    else deps.onMessage(message);
  }

  /** Tries until a thread stands in for one that died. */
  async function replace(death: unknown): Promise<void> {
    let reason = death;
    while (!stopping.signal.aborted) {
      log.error('a worker thread died; its shards go on in about a minute', reason);
      try {
        await clock.sleep(RESTART_DELAY_MS, stopping.signal);
        await start();
        return;
      } catch (error) {
        reason = error;
      }
    }
  }

  function free(): number {
    let turns = 0;
    for (const thread of threads) turns += thread.turns.size;
    return stopping.signal.aborted ? 0 : threads.size * TURNS_PER_THREAD - turns;
  }

  async function run(delivery: Delivery): Promise<'acknowledge' | 'keep'> {
    const thread = [...threads].sort((a, b) => a.turns.size - b.turns.size)[0];
    if (!thread) throw new Error('All worker threads have died.');
    const turn = ++lastTurn;
    const { promise, resolve, reject } = Promise.withResolvers<'acknowledge' | 'keep'>();
    thread.turns.set(turn, { resolve, reject });
    try {
      thread.worker.postMessage({ kind: 'turn', turn, delivery } satisfies ToWorker);
      return await promise;
    } finally {
      thread.turns.delete(turn);
    }
  }

  async function stop(graceMs: number): Promise<void> {
    stopping.abort();
    const all = [...threads];
    for (const { worker } of all) worker.postMessage({ kind: 'stop' } satisfies ToWorker);
    const ended = new AbortController();
    const late = clock.sleep(graceMs, ended.signal).then(
      async () => {
        log.error('some turns did not end in time; they are taken up again at the next start');
        await Promise.all(all.map(({ worker }) => worker.terminate()));
      },
      () => undefined,
    );
    await Promise.all(all.map(({ exited }) => exited));
    ended.abort();
    await late;
  }

  try {
    await Promise.all(Array.from({ length: settings.workers }, start));
  } catch (error) {
    await stop(0);
    throw error;
  }
  return { free, run, stop };
}
