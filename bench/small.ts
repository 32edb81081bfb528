import { fasterThan, residentAtMost, type Aim, type Benchmark } from './harness/benchmark.ts';
import { aria2c, curl, downburst, floor, wget2, type Job } from './peers.ts';
import { warmMemory } from './sources/files.ts';
import { startSource, urlsOf } from './sources/source.ts';

const KIB = 1024;
const CONNECTIONS = 16;

/** Many small files: what one costs besides its bytes. */
export const small: Benchmark = {
  name: 'small',
  about: '10,000 files of 20 KiB and of 1 KiB, to tmpfs and to disk: `downburst get` and other downloaders.',
  rounds: 5,
  async *cases(context) {
    const { count, sizes } = context.size === 'full' ? FULL : TINY;
    for (const kib of sizes) {
      const files = { count, bytes: kib * KIB };
      await using source = await startSource(context, files);
      await warmMemory(context, files);
      for (const place of ['tmpfs', 'disk'] as const) {
        const parent = place === 'tmpfs' ? context.memoryFolder : context.diskFolder;
        const job: Job = { urls: urlsOf(source, files), files, parent, connections: CONNECTIONS };
        yield {
          title: `${count.toLocaleString('en')} files of ${kib} KiB to ${place}`,
          notes: [source.note, `${CONNECTIONS} connections`],
          contestants: [downburst(context, job), floor(job), aria2c(job), wget2(job), curl(job)],
          aims: [...(kib === 20 ? AIMS[place] : []), residentAtMost(500)],
        };
      }
    }
  },
};

const FULL = { count: 10_000, sizes: [20, 1] };
const TINY = { count: 20, sizes: [20] };
const AIMS: Record<'tmpfs' | 'disk', Aim[]> = {
  tmpfs: [fasterThan('aria2c', 1), fasterThan('bare floor', 0.75), fasterThan('wget2', 0.5)],
  disk: [fasterThan('aria2c', 6)],
};
