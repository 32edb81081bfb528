import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import type { Measured } from './benchmark.ts';

/** How often the memory of a process and its descendants is looked at. */
const SAMPLE_MS = 25;
/** Linux tells processors' time in ticks; `getconf CLK_TCK` is 100 on all its common platforms. */
const MS_PER_TICK = 10;
/** So much of what a failed command wrote is told. */
const TAIL_CHARACTERS = 500;

export interface RunOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  signal: AbortSignal;
}

/**
 * Runs a command to its end: wall time from its start to its exit, processors' time of it and its descendants, and the peak
 * of what they have resident together. Time and memory are Linux's, and left out elsewhere. Errors: it did not exit with 0.
 */
export async function measureCommand(
  command: string,
  args: readonly string[],
  { signal, ...options }: RunOptions,
): Promise<Measured> {
  let tail = '';
  const start = () => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (tail = (tail + text).slice(-TAIL_CHARACTERS)));
    }
    return child;
  };
  return measure(start, signal).catch((error: unknown) => {
    if (signal.aborted) throw error;
    throw new Error(`${command}: ${(error as Error).message} ${tail.trim()}`, { cause: error });
  });
}

/**
 * Runs a module of ours as a process of its own, which sends one message, what it has found, and ends; measured as a command
 * is. Errors: it did not exit with 0, or said nothing.
 */
export async function measureModule(
  module: URL,
  args: readonly string[],
  { signal, ...options }: RunOptions,
): Promise<Measured & { said: unknown }> {
  const said: unknown[] = [];
  const start = () => {
    const child = fork(module, args, { ...options, stdio: ['ignore', 'inherit', 'inherit', 'ipc'], detached: true });
    return child.on('message', (message) => said.push(message));
  };
  const measured = await measure(start, signal);
  if (said.length === 0) throw new Error(`${module.pathname} has ended without a word.`);
  return { ...measured, said: said[0] };
}

/** One after the other: times add up, memory is that of the larger one. */
export function inSequence(first: Measured, second: Measured): Measured {
  return {
    wallMs: first.wallMs + second.wallMs,
    cpuMs: first.cpuMs === undefined || second.cpuMs === undefined ? undefined : first.cpuMs + second.cpuMs,
    peakBytes: Math.max(first.peakBytes ?? 0, second.peakBytes ?? 0) || undefined,
  };
}

/**
 * Only one may run at a time: whatever else of this process's children ended meanwhile would be counted, too.
 *
 * @param start starts a process that leads a group of its own
 */
async function measure(start: () => ChildProcess, signal: AbortSignal): Promise<Measured> {
  signal.throwIfAborted();
  const cpuBefore = cpuMsOfEndedChildren();
  const began = performance.now();
  const child = start();
  let peakBytes = 0;
  const sampler = setInterval(() => (peakBytes = Math.max(peakBytes, residentBytesOf(child.pid))), SAMPLE_MS);
  const kill = () => killGroup(child);
  signal.addEventListener('abort', kill);
  let wallMs = 0;
  child.once('exit', () => (wallMs = performance.now() - began));
  try {
    const [code, killedBy] = (await once(child, 'close')) as [number | null, string | null];
    signal.throwIfAborted();
    if (code !== 0) throw new Error(`it has ended with ${code ?? killedBy}.`);
  } finally {
    signal.removeEventListener('abort', kill);
    clearInterval(sampler);
  }
  const cpuAfter = cpuMsOfEndedChildren();
  return {
    wallMs,
    cpuMs: cpuBefore === undefined || cpuAfter === undefined ? undefined : cpuAfter - cpuBefore,
    peakBytes: peakBytes === 0 ? undefined : peakBytes,
  };
}

/** A process with all that it has started, which would go on without it. */
function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // All have just ended.
  }
}

/** Of a process and its descendants together; a single one's own peak, so that none is missed between two samples. */
function residentBytesOf(pid: number | undefined): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    );
    const own = new RegExp(`^${children.length === 0 ? 'VmHWM' : 'VmRSS'}:\\s+(\\d+) kB`, 'm').exec(status)?.[1];
    return Number(own ?? 0) * 1024 + children.reduce((sum, child) => sum + residentBytesOf(child), 0);
  } catch {
    // It has just ended, or this is not Linux.
    return 0;
  }
}

/** User and system time of the children that have ended, and of what those waited for. */
function cpuMsOfEndedChildren(): number | undefined {
  try {
    // The second field is the program's name in parentheses, in which there may be anything.
    const fields = readFileSync('/proc/self/stat', 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return (Number(fields[13]) + Number(fields[14])) * MS_PER_TICK;
  } catch {
    return undefined;
  }
}
