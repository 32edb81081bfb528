import { fasterThan, residentAtMost, type Benchmark } from './harness/benchmark.ts';
import { aria2c, curl, downburst, rcloneCopyurl, wget2, type Job } from './peers.ts';
import { warmMemory } from './sources/files.ts';
import { startSource, urlsOf } from './sources/source.ts';

const MIB = 1024 ** 2;
const CONNECTIONS = 16;

/** Large files: what a byte costs. */
export const large: Benchmark = {
  name: 'large',
  about: '1 file of 2 GiB and 16 of 256 MiB, to tmpfs and to disk: `downburst get` and other downloaders.',
  rounds: 3,
  async *cases(context) {
    for (const [count, mib] of context.size === 'full' ? FULL : TINY) {
      const files = { count, bytes: mib * MIB };
      await using source = await startSource(context, files);
      await warmMemory(context, files);
      for (const place of ['tmpfs', 'disk'] as const) {
        const parent = place === 'tmpfs' ? context.memoryFolder : context.diskFolder;
        const job: Job = { urls: urlsOf(source, files), files, parent, connections: CONNECTIONS };
        const peers = [aria2c(job, CONNECTIONS / count), wget2(job), curl(job), rcloneCopyurl(job)];
        yield {
          title: `${count} × ${mib} MiB to ${place}`,
          notes: [source.note, `${CONNECTIONS} connections; curl, wget2 and rclone have one a file`],
          contestants: [downburst(context, job), ...peers],
          aims: [fasterThan('curl', 0.9), fasterThan('aria2c', 1), fasterThan('rclone', 1), residentAtMost(500)],
        };
      }
    }
  },
};

const FULL = [
  [1, 2048],
  [16, 256],
] as const;
const TINY = [[4, 1]] as const;
