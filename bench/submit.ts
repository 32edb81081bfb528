import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { bundle } from './harness/bundle.ts';
import { ratio, residentAtMost, type Benchmark, type Contestant } from './harness/benchmark.ts';
import { measureCommand, measureModule } from './harness/measure.ts';
import type { Report } from './submit/process.ts';

const PROCESS = new URL('submit/process.ts', import.meta.url);
/** Characters of the list that are written at once. */
const BLOCK_CHARACTERS = 65_536;
/** What a planner may take. */
const MAX_RESIDENT_MB = 512;
/** How much longer than `sort` of the same list it may take to check it, name its files, deal it out and write it down. */
const MOST_SORTS = 6;

/** What a list costs before its first file. */
export const submit: Benchmark = {
  name: 'submit',
  about: 'A list of 10^6 URLs, up to its tickets, beside `sort` of the same file.',
  rounds: 3,
  async *cases({ size, memoryFolder, diskFolder }) {
    const urls = size === 'full' ? 1_000_000 : 1000;
    const list = join(memoryFolder, 'list.txt');
    const module = await bundle(PROCESS, join(memoryFolder, 'submit'));
    for (const hosts of size === 'full' ? [1, 1000, 100_000] : [100]) {
      await pipeline(Readable.from(textOf(urls, hosts)), createWriteStream(list));
      const count = (n: number) => n.toLocaleString('en');
      yield {
        title: `${count(urls)} URLs of ${count(hosts)} ${hosts === 1 ? 'host' : 'hosts'}`,
        notes: ['the list is in memory; what is written goes to disk'],
        contestants: [
          submitted(module, list, urls, diskFolder),
          sorted('sort', list, diskFolder, []),
          sorted('sort, one thread', list, diskFolder, ['--parallel=1']),
        ],
        aims: [
          {
            text: 'times as long as sort',
            measure: (of) => ratio(of('Downburst')?.wallMs, of('sort')?.wallMs),
            atMost: MOST_SORTS,
          },
          residentAtMost(MAX_RESIDENT_MB),
        ],
      };
    }
    await rm(list);
  },
};

function submitted(module: URL, list: string, urls: number, parent: string): Contestant {
  return inFolder('Downburst', parent, async (folder, signal) => {
    const { said, ...measured } = await measureModule(module, [list, folder], { signal });
    const { state, total, shards, tickets } = said as Report;
    if (state !== 'running' || total !== urls || tickets !== shards) {
      throw new Error(`The batch is ${state}, with ${total} entries, ${shards} shards and ${tickets} tickets.`);
    }
    return { ...measured, figures: { shards } };
  });
}

function sorted(name: string, list: string, parent: string, flags: readonly string[]): Contestant {
  const run = inFolder(name, parent, (folder, signal) => {
    const env = { PATH: process.env.PATH, LC_ALL: 'C' };
    return measureCommand('sort', ['-T', folder, ...flags, '-o', join(folder, 'sorted'), list], { env, signal });
  });
  return { ...run, executables: ['sort'] };
}

function inFolder(
  name: string,
  parent: string,
  run: (folder: string, signal: AbortSignal) => ReturnType<Contestant['play']>,
): Contestant {
  return {
    name,
    async play(signal) {
      await mkdir(parent, { recursive: true });
      const folder = await mkdtemp(join(parent, 'round-'));
      try {
        return await run(folder, signal);
      } finally {
        await rm(folder, { recursive: true });
      }
    },
  };
}

/** Entry `i` of a list over `hosts` hosts, by turns. */
function urlOf(i: number, hosts: number): string {
  return `https://cdn-${i % hosts}.example.com/photos/2030/${i % 365}/img-${i.toString(36).padStart(8, '0')}.jpg`;
}

/** The list as a text, in blocks. */
function* textOf(urls: number, hosts: number): Generator<string> {
  let block = '';
  for (let i = 0; i < urls; i++) {
    block += `${urlOf(i, hosts)}\n`;
    if (block.length < BLOCK_CHARACTERS) continue;
    yield block;
    block = '';
  }
  yield block;
}
