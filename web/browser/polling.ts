import { createContext } from 'preact';
import { useCallback, useContext, useEffect, useState } from 'preact/hooks';
import type { ProblemDocument } from '../../http/problem.ts';
import { ProblemError } from '../../http/problem-error.ts';
import { read } from './api.ts';

/** Pauses between attempts to reach a service that is away, in milliseconds: twice as long each time. */
const AWAY_MS = { first: 1000, longest: 10_000 };

/** Told whenever a poll finds the service there, or why it is away. */
export const AwayContext = createContext<(reason: string | undefined) => void>(() => undefined);

export interface Polled<T> {
  /** What was answered last, however long ago. */
  data: T | undefined;
  /** Why there will be no answer. */
  problem: ProblemDocument | undefined;
  /** Asks again at once. */
  refresh: () => void;
}

/**
 * A document of the API that is asked for again and again: as often as its Retry-After says, but at most every
 * `everySeconds`, never while the page is hidden, and on through times in which the service is away.
 *
 * @param path where it is; `undefined` asks for nothing
 * @param everySeconds left out: a document without Retry-After is final
 */
export function usePolled<T>(path: string | undefined, everySeconds?: number): Polled<T> {
  const [answer, setAnswer] = useState<{ path: string; data?: T; problem?: ProblemDocument }>();
  const [round, setRound] = useState(0);
  const away = useContext(AwayContext);

  useEffect(() => {
    if (path === undefined) return undefined;
    const stop = new AbortController();
    poll<T>(path, everySeconds, stop.signal, {
      answered: (data) => setAnswer({ path, data }),
      refused: (problem) => setAnswer({ path, problem }),
      away,
    }).catch((error: unknown) => {
      if (!stop.signal.aborted) throw error;
    });
    return () => stop.abort();
  }, [path, everySeconds, round, away]);

  const current = answer?.path === path ? answer : undefined;
  const refresh = useCallback(() => setRound((last) => last + 1), []);
  return { data: current?.data, problem: current?.problem, refresh };
}

interface Listener<T> {
  answered: (data: T) => void;
  refused: (problem: ProblemDocument) => void;
  away: (reason: string | undefined) => void;
}

/** Polls until the document is final, or refused. Errors: the signal's reason. */
async function poll<T>(path: string, everySeconds: number | undefined, signal: AbortSignal, tell: Listener<T>) {
  for (let awayMs = AWAY_MS.first; ;) {
    await shown(signal);
    try {
      const { body, retryAfterSeconds = everySeconds } = await read<T>(path, signal);
      tell.away(undefined);
      tell.answered(body);
      if (retryAfterSeconds === undefined) return;
      awayMs = AWAY_MS.first;
      await pause(Math.max(retryAfterSeconds, everySeconds ?? 0) * 1000, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ProblemError) {
        tell.away(undefined);
        tell.refused(error.problem);
        return;
      }
      tell.away(error instanceof Error ? error.message : String(error));
      await pause(awayMs, signal);
      awayMs = Math.min(2 * awayMs, AWAY_MS.longest);
    }
  }
}

/** Waits until somebody can see the page; nobody asks for what nobody looks at. */
async function shown(signal: AbortSignal): Promise<void> {
  while (document.hidden) {
    await until(signal, (resolve, ended) => document.addEventListener('visibilitychange', resolve, { signal: ended }));
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return until(signal, (resolve, ended) => {
    const timer = setTimeout(resolve, ms);
    ended.addEventListener('abort', () => clearTimeout(timer));
  });
}

/** Waits for what is begun to call back; all that listens ends with the wait. Errors: the signal's reason. */
async function until(signal: AbortSignal, begin: (resolve: () => void, ended: AbortSignal) => void): Promise<void> {
  signal.throwIfAborted();
  const wait = new AbortController();
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { signal: wait.signal });
    begin(resolve, wait.signal);
  });
  wait.abort();
  signal.throwIfAborted();
}
