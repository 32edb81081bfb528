/**
 * What a benchmark is. To add one: write `bench/NAME.ts` that exports a `Benchmark`, name it in `bench/benchmarks.ts`, and
 * say in `bench/README.md` what it compares and what not. The harness does the rest: turns, rounds, medians, tables, JSON.
 *
 * - Its `cases` are an async generator. What a case needs (sources, folders) is set up before its `yield` and taken down
 *   after it, by `await using` or `finally`: both run also when the user interrupts or something fails.
 * - A contestant plays one round from nothing: it cleans up behind itself and checks what came, outside of what it measures.
 *   Commands are measured by `measureCommand`, our own modules in a process of their own by `measureModule`.
 * - The first contestant is the one that the others are compared with. A contestant can also be a size of the same thing.
 * - At the tiny size it ends within a second or two, and its aims are not judged: `npm test` runs it so.
 */
export interface Benchmark {
  name: string;
  /** What it does, in a sentence. */
  about: string;
  /** How often each contestant plays at full size, if the user does not say. */
  rounds: number;
  /** Why it is run only by its name. */
  onlyByName?: string;
  cases: (context: Context) => AsyncIterable<Case>;
}

/** What the harness gives a benchmark. */
export interface Context {
  size: 'full' | 'tiny';
  /** Aborts when the user interrupts. */
  signal: AbortSignal;
  /** An existing folder of this run that is memory, for sources and downloads. */
  memoryFolder: string;
  /** An existing folder of this run on a disk. */
  diskFolder: string;
  /** Builds the command once a run; resolves with its one file, for `process.execPath`. */
  downburst: () => Promise<string>;
}

/** One table: contestants that do the same thing. */
export interface Case {
  /** What is done, with its sizes: `10,000 files of 20 KiB to tmpfs`. */
  title: string;
  /** What a reader has to know: the source, what is turned off. */
  notes: readonly string[];
  contestants: readonly Contestant[];
  aims: readonly Aim[];
}

export interface Contestant {
  name: string;
  /** The programs that have to be installed, if it is not our own. */
  executables?: readonly string[];
  /** Plays one round. Errors: it failed, or what came is not what was asked for; the round is then not counted. */
  play: (signal: AbortSignal) => Promise<Measured>;
}

/** What a round took. */
export interface Measured {
  wallMs: number;
  /** User and system time of all its processes. */
  cpuMs?: number | undefined;
  /** Peak resident size of all its processes together. */
  peakBytes?: number | undefined;
  /** Others, by the heading of their column, which names the unit: `p95 ms`. */
  figures?: Readonly<Record<string, number>> | undefined;
}

/** Something to be reached, of the medians. */
export interface Aim {
  /** What is measured: `speed, of curl's`. */
  text: string;
  /** @param of the medians of a contestant; undefined if it did not play. */
  measure: (of: (contestant: string) => Measured | undefined) => number | undefined;
  atLeast?: number;
  atMost?: number;
}

/** The aim that `name` is at least so many times as fast as `peer`. */
export function fasterThan(peer: string, atLeast: number, name = 'Downburst'): Aim {
  return {
    text: `times as fast as ${peer}`,
    measure: (of) => ratio(of(peer)?.wallMs, of(name)?.wallMs),
    atLeast,
  };
}

/** The aim that `name` takes no more memory than so much. */
export function residentAtMost(megabytes: number, name = 'Downburst'): Aim {
  return {
    text: `MB resident at the most (${name})`,
    measure: (of) => ratio(of(name)?.peakBytes, 1e6),
    atMost: megabytes,
  };
}

/** `undefined` where one of the two is. */
export function ratio(of: number | undefined, to: number | undefined): number | undefined {
  return of === undefined || to === undefined ? undefined : of / to;
}
