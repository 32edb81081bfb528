import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import type { Aim, Benchmark, Contestant, Measured } from './harness/benchmark.ts';
import { measureModule } from './harness/measure.ts';
import type { HostName, Kind, Report } from './reads/process.ts';

const PROCESS = new URL('reads/process.ts', import.meta.url);
const P95 = 'p95 ms';
const SIZES = { full: [1000, 100_000, 1_000_000], tiny: [100, 1000] } as const;
const HOSTS = {
  embedded: 'SQLite and plain files',
  deployed:
    'DynamoDB and S3 as dynalite and fauxqs play them, in the same process: requests and bytes are those of AWS, times are not',
} as const satisfies Record<HostName, string>;

/** What it takes to say how far a batch is. */
export const status = readsOf('status', 'The status of a batch of 10^3, 10^5 and 10^6 entries, by calls in a process.');
/** What it takes to list the first of what became of a batch. */
export const files = readsOf('files', 'The first 100 outcomes of a batch of 10^3, 10^5 and 10^6 entries.');

function readsOf(kind: Kind, about: string): Benchmark {
  return {
    name: kind,
    about,
    rounds: 3,
    async *cases({ size, diskFolder }) {
      for (const [host, note] of Object.entries(HOSTS) as [HostName, string][]) {
        const sizes = SIZES[size];
        const folder = await mkdtemp(join(diskFolder, `${kind}-`));
        yield {
          title: `${kind}, ${host}`,
          notes: [`${note}; the wall time is of filling and 230 calls`],
          contestants: sizes.map((entries) => contestant([host, String(entries), kind, folder], entries)),
          aims: [flat(sizes[0], sizes.at(-1) ?? sizes[0])],
        };
      }
    },
  };
}

function contestant(args: readonly [HostName, ...string[]], entries: number): Contestant {
  return {
    name: nameOf(entries),
    async play(signal): Promise<Measured> {
      const { said, ...measured } = await measureModule(PROCESS, args, { signal });
      const report = said as Report;
      const asked = { requests: report.requests, 'KB read': report.answerBytes / 1000 };
      const figures = { shards: report.shards, 'p50 ms': report.p50Ms, [P95]: report.p95Ms };
      return { ...measured, figures: { ...figures, ...(args[0] === 'deployed' && asked) } };
    },
  };
}

function nameOf(entries: number): string {
  return `${entries.toLocaleString('en')} entries`;
}

function flat(few: number, many: number): Aim {
  return {
    text: `times the p95 of ${nameOf(few)}, with ${nameOf(many)}`,
    measure: (of) => {
      const [low, high] = [few, many].map((entries) => of(nameOf(entries))?.figures?.[P95]);
      return low === undefined || high === undefined ? undefined : high / low;
    },
    atMost: 2,
  };
}
