import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Aim, Benchmark, Contestant, Context, Measured } from './harness/benchmark.ts';
import { measureCommand } from './harness/measure.ts';
import { plotOf, type Line } from './scale/plot.ts';
import { startSource, urlsOf, type Source } from './sources/source.ts';

const PLOT = fileURLToPath(new URL('scale.svg', import.meta.url));
const CONNECTIONS = 16;
/** What the URLs lead to, over and over: they differ in their queries. */
const SOURCE_FILES = { count: 1000, bytes: 1024 };
const SIZES = { full: [1, 100, 1000, 10_000, 100_000, 1_000_000], tiny: [1, 100] } as const;
const THREADS = [1, 2];
/** How far the time per entry may go up or down from 10^3 to 10^6 entries. */
const MOST_GROWTH = 1.15;
const STATE_FOLDER = '.downburst';

/** Whether an entry costs the same however many there are. */
export const scale: Benchmark = {
  name: 'scale',
  about: 'Time per entry of `downburst get`, 10^2 to 10^6 files of 1 KiB, by 1 and 2 worker threads; writes scale.svg.',
  rounds: 1,
  onlyByName: 'it takes ten minutes and 5 GB of memory',
  async *cases(context) {
    await using source = await startSource(context, SOURCE_FILES);
    const lines: Line[] = [];
    for (const threads of THREADS) {
      const walls = new Map<number, number>();
      yield {
        title: `files of 1 KiB to tmpfs by ${threads} worker ${threads === 1 ? 'thread' : 'threads'}`,
        notes: [source.note, `${CONNECTIONS} connections; µs/entry is without the time of a list of one`],
        contestants: SIZES[context.size].map((entries) => contestant(context, source, threads, entries, walls)),
        aims: [flat(1000, 1_000_000)],
      };
      const points = [...walls].filter(([entries]) => entries > 1);
      lines.push({ name: `${threads} ${threads === 1 ? 'thread' : 'threads'}`, points: points.map(perEntry(walls)) });
    }
    if (context.size === 'full') await writeFile(PLOT, plotOf(lines));
  },
};

/** Microseconds of an entry, start-up left out. */
function perEntry(walls: ReadonlyMap<number, number>) {
  return ([entries, wallMs]: readonly [number, number]): readonly [number, number] => [
    entries,
    (1000 * (wallMs - (walls.get(1) ?? 0))) / entries,
  ];
}

function contestant(
  context: Context,
  source: Source,
  threads: number,
  entries: number,
  walls: Map<number, number>,
): Contestant {
  return {
    name: nameOf(entries),
    async play(signal): Promise<Measured> {
      const folder = await mkdtemp(join(context.memoryFolder, 'round-'));
      try {
        const list = join(folder, 'list.txt');
        const target = join(folder, 'files');
        const urls = urlsOf(source, SOURCE_FILES);
        await writeFile(list, linesOf(urls, entries));
        const flags = ['--quiet', '--workers', String(threads), '--connections-per-host', String(CONNECTIONS)];
        const args = [await context.downburst(), 'get', list, '-o', target, ...flags, '--allow-network', '127.0.0.0/8'];
        const measured = await measureCommand(process.execPath, args, { signal });
        await check(target, entries);
        walls.set(entries, measured.wallMs);
        const [, microseconds] = perEntry(walls)([entries, measured.wallMs]);
        return { ...measured, ...(entries > 1 && { figures: { 'µs/entry': microseconds } }) };
      } finally {
        await rm(folder, { recursive: true });
      }
    },
  };
}

function* linesOf(urls: readonly string[], entries: number): Generator<string> {
  for (let i = 0; i < entries; i++) yield `${urls[i % urls.length] ?? ''}?${i}\n`;
}

/** That there are as many files as entries, each of its size. */
async function check(target: string, entries: number): Promise<void> {
  let found = 0;
  for (const entry of await readdir(target, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || join(entry.parentPath, '/').includes(`/${STATE_FOLDER}/`)) continue;
    const { size } = await stat(join(entry.parentPath, entry.name));
    if (size !== SOURCE_FILES.bytes) throw new Error(`${entry.name} has ${size} bytes.`);
    found += 1;
  }
  if (found !== entries) throw new Error(`${found} of ${entries} files came.`);
}

function nameOf(entries: number): string {
  return `${entries.toLocaleString('en')} ${entries === 1 ? 'entry' : 'entries'}`;
}

function flat(few: number, many: number): Aim {
  return {
    text: `times the time per entry of ${nameOf(few)}, with ${nameOf(many)}`,
    measure: (of) => {
      const [low, high] = [few, many].map((entries) => of(nameOf(entries))?.figures?.['µs/entry']);
      return low === undefined || high === undefined ? undefined : high / low;
    },
    atMost: MOST_GROWTH,
  };
}
