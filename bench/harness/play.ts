import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Aim, Case, Contestant, Context, Measured } from './benchmark.ts';
import { findExecutable, versionOf } from './machine.ts';

/** How one contestant did. */
export interface Row {
  contestant: string;
  /** Of its programs, if it has any. */
  version?: string | undefined;
  state: 'played' | 'not installed' | 'failed';
  /** The programs that are not installed. */
  missing?: string;
  /** Why it failed. */
  problem?: string;
  rounds: Measured[];
  median?: Measured;
  /** Its median wall time over the first contestant's. */
  timesFirst?: number;
}

export interface AimResult {
  text: string;
  atLeast?: number;
  atMost?: number;
  measured?: number;
  met?: boolean;
}

/** What one case came to. */
export interface CaseResult {
  benchmark: string;
  title: string;
  notes: readonly string[];
  rows: Row[];
  aims: AimResult[];
}

export interface PlayOptions {
  rounds: number;
  size: Context['size'];
  signal: AbortSignal;
  onRound: (text: string) => void;
}

/**
 * Lets the contestants of a case play in turn, round by round, so that a busy moment of the machine is everybody's, and
 * another one first in each. One that fails plays no more. When the signal aborts, it is over with the rounds so far.
 */
export async function play(benchmark: string, one: Case, options: PlayOptions): Promise<CaseResult> {
  const { title, notes, contestants, aims } = one;
  const rows = new Map<Contestant, Row>();
  for (const contestant of contestants) rows.set(contestant, await rowOf(contestant));
  await playRounds(`${benchmark}, ${title}`, contestants, rows, options).catch((error: unknown) => {
    if (!options.signal.aborted) throw error;
  });
  const all = [...rows.values()];
  for (const row of all) if (row.state === 'played' && row.rounds.length > 0) row.median = medianOf(row.rounds);
  const first = all[0]?.median;
  for (const row of all) if (first && row.median) row.timesFirst = row.median.wallMs / first.wallMs;
  const of = (name: string) => all.find(({ contestant }) => contestant === name)?.median;
  return {
    benchmark,
    title,
    notes,
    rows: all,
    aims: options.size === 'full' ? aims.map((aim) => judge(aim, of)) : [],
  };
}

/** Errors: the signal's reason. */
async function playRounds(
  title: string,
  contestants: readonly Contestant[],
  rows: ReadonlyMap<Contestant, Row>,
  { rounds, size, signal, onRound }: PlayOptions,
): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    const first = round % contestants.length;
    for (const contestant of [...contestants.slice(first), ...contestants.slice(0, first)]) {
      const row = rows.get(contestant);
      if (row?.state !== 'played') continue;
      signal.throwIfAborted();
      onRound(`${title}: round ${round + 1} of ${rounds}, ${contestant.name}`);
      try {
        // What earlier ones have left to be written is not for later ones to wait for.
        if (size === 'full') await promisify(execFile)('sync');
        row.rounds.push(await contestant.play(signal));
      } catch (error) {
        signal.throwIfAborted();
        row.state = 'failed';
        row.problem = error instanceof Error ? error.message : String(error);
      }
    }
  }
}

async function rowOf({ name: contestant, executables = [] }: Contestant): Promise<Row> {
  const paths = await Promise.all(executables.map((name) => findExecutable(name)));
  const missing = executables.filter((_, i) => paths[i] === undefined).join(' & ');
  if (missing !== '') return { contestant, state: 'not installed', missing, rounds: [] };
  const versions = await Promise.all(paths.map((path = '') => versionOf(path)));
  const row: Row = { contestant, state: 'played', rounds: [] };
  return versions.length === 0 ? row : { ...row, version: versions.join(' & ') };
}

function judge({ measure, ...aim }: Aim, of: (name: string) => Measured | undefined): AimResult {
  const measured = measure(of);
  if (measured === undefined) return aim;
  return { ...aim, measured, met: measured >= (aim.atLeast ?? -Infinity) && measured <= (aim.atMost ?? Infinity) };
}

/** Each figure's own median. */
function medianOf(rounds: readonly Measured[]): Measured {
  const names = new Set(rounds.flatMap(({ figures = {} }) => Object.keys(figures)));
  const figures = [...names].map(
    (name) => [name, median(rounds.map((round) => round.figures?.[name])) ?? NaN] as const,
  );
  return {
    wallMs: median(rounds.map(({ wallMs }) => wallMs)) ?? NaN,
    cpuMs: median(rounds.map(({ cpuMs }) => cpuMs)),
    peakBytes: median(rounds.map(({ peakBytes }) => peakBytes)),
    figures: Object.fromEntries(figures),
  };
}

function median(values: readonly (number | undefined)[]): number | undefined {
  const sorted = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return low === undefined || high === undefined ? undefined : (low + high) / 2;
}
