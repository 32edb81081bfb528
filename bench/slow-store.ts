/**
 * How much memory do large downloads take, all at once, into a store that is slower than their source?
 *
 *     node bench/slow-store.ts [--files 16] [--mb 256]
 *
 * Three processes: this one, the source, and one that does nothing but download, whose resident memory is measured.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createFileStore } from '../adapters/files/file-store.ts';
import { systemClock } from '../adapters/system-clock.ts';
import { parseNetworks } from '../core/download/address-guard.ts';
import { createByteBudget, DEFAULT_BUDGET_BYTES } from '../core/download/byte-budget.ts';
import { createDownloader } from '../core/download/create-downloader.ts';
import type { Stored } from '../core/download/downloader.ts';
import { DEFAULT_OPTIONS } from '../core/model/options.ts';
import type { ObjectStore } from '../core/ports/object-store.ts';
import { readCommandLine, wholeNumber } from './harness/command-line.ts';
import { createProcesses, digestOf, roleOf, temporaryFolder } from './processes.ts';

const MIB = 1024 ** 2;
/** What the process of the downloads may take. */
const MAX_RESIDENT_MB = 300;
/** Each part takes so long, however fast the disk is: a whole budget of parts is stored at 256 MiB/s. */
const PART_DELAY_MS = 500;
const SAMPLE_MS = 20;
const MOST_MIB = 1e6;

const { values, role, files, bytes } = readCommandLine(() => {
  const parsed = parseArgs({
    allowPositionals: true,
    options: { files: { type: 'string', default: '16' }, mb: { type: 'string', default: '256' } },
  });
  const { files, mb } = parsed.values;
  return {
    values: parsed.values,
    role: roleOf(parsed.positionals),
    files: wholeNumber('--files', files),
    bytes: wholeNumber('--mb', mb, 1, MOST_MIB) * MIB,
  };
});

interface Report {
  stored: Stored[];
  sampledPeakBytes: number;
  systemPeakBytes: number;
  budgetPeakBytes: number;
  seconds: number;
}

const roles: Record<string, () => Promise<void>> = { main, source, downloads };
const [name, ...rest] = role;
/** Bytes that files are made of. */
let noise: Buffer | undefined;

await roles[name]?.();

async function main(): Promise<void> {
  const folder = temporaryFolder(tmpdir(), 'downburst-memory-');
  using processes = createProcesses(import.meta.filename, ['--files', values.files, '--mb', values.mb]);
  const port = await processes.start<number>('source');
  console.log(`${files} files of ${values.mb} MiB at once, budget ${DEFAULT_BUDGET_BYTES / MIB} MiB`);
  const report = await processes.start<Report>('downloads', String(port), folder);
  const total = report.stored.reduce((sum, { bytes }) => sum + bytes, 0);
  const sound = await Promise.all(
    report.stored.map(async ({ sha256 }, i) => {
      const expected = createHash('sha256');
      for (const block of blocksOf(i)) expected.update(block);
      const digest = expected.digest('hex');
      return sha256 === digest && (await digestOf(join(folder, 'files', fileName(i)))) === digest;
    }),
  );
  const residentMb = Math.max(report.sampledPeakBytes, report.systemPeakBytes) / 1e6;
  const passed = total === files * bytes && sound.every(Boolean) && residentMb < MAX_RESIDENT_MB;
  console.log(`downloaded        ${(total / 1e6).toFixed(0)} MB in ${report.seconds.toFixed(1)} s`);
  console.log(`digests           ${sound.filter(Boolean).length} of ${files} right, as downloaded and as stored`);
  console.log(`budget, peak      ${(report.budgetPeakBytes / 1e6).toFixed(0)} MB`);
  console.log(`resident, sampled ${(report.sampledPeakBytes / 1e6).toFixed(0)} MB`);
  console.log(`resident, system  ${(report.systemPeakBytes / 1e6).toFixed(0)} MB; must be below ${MAX_RESIDENT_MB} MB`);
  console.log(passed ? 'passed' : 'FAILED');
  process.exitCode = passed ? 0 : 1;
}

/** Serves file `/n`, as fast as it is taken. */
async function source(): Promise<void> {
  const server = createServer((request, response) => {
    response.writeHead(200, { 'content-length': bytes });
    // A client that goes away ends its own response only.
    pipeline(Readable.from(blocksOf(Number(request.url?.slice(1)))), response).catch(() => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.send?.((server.address() as AddressInfo).port);
}

async function downloads(): Promise<void> {
  const [port, folder = ''] = rest;
  const store = createFileStore({
    root: join(folder, 'files'),
    tempRoot: join(folder, 'temp'),
    metadataRoot: join(folder, 'metadata'),
  });
  const budget = createByteBudget(DEFAULT_BUDGET_BYTES);
  const downloader = createDownloader({
    files: slowed(store),
    clock: systemClock,
    budget,
    resolve: () => Promise.reject(new Error('there are no names here')),
    allowedNetworks: parseNetworks(['127.0.0.0/8']),
  });
  let sampledPeakBytes = 0;
  const sampler = setInterval(
    () => (sampledPeakBytes = Math.max(sampledPeakBytes, process.memoryUsage.rss())),
    SAMPLE_MS,
  );
  const { signal } = new AbortController();
  const began = performance.now();
  const stored = await Promise.all(
    Array.from({ length: files }, (_, i) =>
      downloader.download({
        batchId: 'bench',
        entry: { index: i + 1, url: `http://127.0.0.1:${port}/${i}`, key: fileName(i) },
        options: { ...DEFAULT_OPTIONS, prefix: '', ownPrefix: true },
        headers: {},
        signal,
        enterHost: () => Promise.resolve(),
      }),
    ),
  );
  const seconds = (performance.now() - began) / 1000;
  clearInterval(sampler);
  await downloader.close();
  const systemPeakBytes = process.resourceUsage().maxRSS * 1024;
  const report: Report = { stored, sampledPeakBytes, systemPeakBytes, budgetPeakBytes: budget.peakBytes, seconds };
  process.send?.(report);
}

/** The same store with slow parts, so that the source has to wait. */
function slowed(store: ObjectStore): ObjectStore {
  return {
    ...store,
    async putPart(...part) {
      await setTimeout(PART_DELAY_MS);
      return store.putPart(...part);
    },
  };
}

function fileName(i: number): string {
  return `${i}.bin`;
}

/** The content of file `i`: the same in every process, and another one for each file and each of its blocks. */
function* blocksOf(i: number): Generator<Buffer> {
  noise ??= createHash('shake256', { outputLength: 2 * MIB })
    .update('downburst')
    .digest();
  for (let left = bytes, n = 0; left > 0; left -= MIB, n++) {
    const from = (i * 7919 + n * 104_729) % MIB;
    yield noise.subarray(from, from + Math.min(left, MIB));
  }
}
