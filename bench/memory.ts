import { residentAtMost, type Benchmark, type Context } from './harness/benchmark.ts';
import { downburst, WORKERS } from './peers.ts';
import type { FileSet } from './sources/files.ts';
import { startSource, urlsOf } from './sources/source.ts';

const KIB = 1024;
const MIB = 1024 ** 2;
const CONNECTIONS = 16;
/** What a worker may take; a process has one in each thread, which cannot be told apart from outside. */
const MAX_WORKER_MB = 250;

/** How the memory of `downburst get` depends on what it downloads: it should not. */
export const memory: Benchmark = {
  name: 'memory',
  about: '`downburst get` by the size of a file, 1 MiB to 2 GiB, and by the length of the list, 10^2 to 10^5.',
  rounds: 1,
  async *cases(context) {
    await context.downburst();
    const isFull = context.size === 'full';
    const bytes = (isFull ? [1, 64, 512, 2048] : [1, 2]).map((mib) => ({ count: 1, bytes: mib * MIB }));
    yield caseOf('a file', bytes, (files) => `${files.bytes / MIB} MiB`);
    const counts = (isFull ? [100, 1000, 10_000, 100_000] : [10, 20]).map((count) => ({ count, bytes: KIB }));
    yield caseOf('files of 1 KiB', counts, (files) => `${files.count.toLocaleString('en')} files`);

    function caseOf(what: string, sets: readonly FileSet[], nameOf: (files: FileSet) => string) {
      const contestants = sets.map((files) => ({ name: nameOf(files), play: playOf(context, files) }));
      return {
        title: `${what}, by ${WORKERS} workers`,
        notes: [`peak MB is of the process with its ${WORKERS} threads: a worker's part is less than half of it`],
        contestants,
        aims: sets.map((files) => residentAtMost(WORKERS * MAX_WORKER_MB, nameOf(files))),
      };
    }
  },
};

/** Each size has a source of its own for its round. */
function playOf(context: Context, files: FileSet) {
  return async (signal: AbortSignal) => {
    await using source = await startSource(context, files);
    const job = { urls: urlsOf(source, files), files, parent: context.memoryFolder, connections: CONNECTIONS };
    return await downburst(context, job).play(signal);
  };
}
