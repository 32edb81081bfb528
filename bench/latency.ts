import { ratio, residentAtMost, type Aim, type Benchmark, type Context } from './harness/benchmark.ts';
import { aria2c, curl, downburst, wget2, type Job } from './peers.ts';
import { startOrigin, urlsOf } from './sources/source.ts';

const KIB = 1024;
const DELAY_MS = 200;
/** What a source's own count of its open requests is called in the table. */
const AT_ONCE = 'at once';

/** A source that is far away: whether connections are ever idle. */
export const latency: Benchmark = {
  name: 'latency',
  about: '2,000 files from a source that takes 200 ms to answer, over 64 connections: how close to the ideal.',
  rounds: 3,
  cases: (context) => delayed(context, 64, [[0.9, 'of the ideal speed']]),
};

/** The same over few connections: whether there are ever more, and always as many. */
export const polite: Benchmark = {
  name: 'polite',
  about: '2,000 files from a source that takes 200 ms to answer, 4 connections per host: no more, and never idle.',
  // A round takes nearly two minutes, and all rounds take as long.
  rounds: 1,
  cases: (context) => delayed(context, 4, []),
};

async function* delayed(context: Context, connections: number, shares: [number, string][]) {
  const full = context.size === 'full';
  const files = { count: full ? 2000 : 2 * connections, bytes: 20 * KIB };
  const delayMs = full ? DELAY_MS : 20;
  await using source = await startOrigin(files, delayMs);
  const idealMs = (files.count / connections) * delayMs;
  const job: Job = {
    urls: urlsOf(source, files),
    files,
    parent: context.memoryFolder,
    connections,
    async after() {
      const peak = await source.peakRequests();
      if (peak > connections) throw new Error(`${peak} requests were open at once instead of ${connections}.`);
      return { [AT_ONCE]: peak };
    },
  };
  yield {
    title: `${files.count.toLocaleString('en')} files of 20 KiB to tmpfs over ${connections} connections`,
    notes: [source.note, `ideal: ${(idealMs / 1000).toFixed(2)} s`],
    contestants: [downburst(context, job), aria2c(job), wget2(job), curl(job)],
    aims: [
      ...shares.map(([atLeast, text]): Aim => ({
        text,
        measure: (of) => ratio(idealMs, of('Downburst')?.wallMs),
        atLeast,
      })),
      residentAtMost(500),
    ],
  };
}
