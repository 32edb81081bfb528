import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createFileStore } from '../adapters/files/file-store.ts';
import { systemClock } from '../adapters/system-clock.ts';
import { parseNetworks } from '../core/download/address-guard.ts';
import { createByteBudget, DEFAULT_BUDGET_BYTES } from '../core/download/byte-budget.ts';
import { createDownloader } from '../core/download/create-downloader.ts';
import type { Job, Loan, Stored } from '../core/download/downloader.ts';
import { DEFAULT_OPTIONS } from '../core/model/options.ts';
import { LEAST_PART_BYTES } from '../local/stores.ts';
import { HEAP_LIMITS } from '../local/worker-pool.ts';
import { readCommandLine, wholeNumber } from './harness/command-line.ts';
import { createProcesses, digestOf, roleOf, temporaryFolder } from './processes.ts';

/**
 * One large file from a source that gives each connection so many bytes a second: how much faster it is over 16
 * connections than over one, and how much memory it takes with 64 parts under way. Source and downloads are processes of
 * their own, over loopback, with the heap of a worker thread; the file is written to disk, each part synced.
 */

const MIB = 1024 ** 2;
/** How much faster 16 connections must be than one. */
const LEAST_SPEEDUP = 10;
/** What the process of the downloads may take, whatever the file's size. */
const MAX_RESIDENT_MB = 250;
/** Sixteen connections have four parts each then; the parts of less come out unevenly, and the start counts. */
const LEAST_MIB = 512;
const MOST_MIB = 1e6;
const SAMPLE_MS = 20;
/** The source sends so much at once. */
const PIECE_BYTES = 256 * 1024;

const { values, role, bytes, bytesPerSecond } = readCommandLine(() => {
  const parsed = parseArgs({
    allowPositionals: true,
    options: {
      mb: { type: 'string', default: '2048' },
      'mb-per-second': { type: 'string', default: '20' },
      /** On a disk that takes 400 MB/s, or in memory. */
      folder: { type: 'string', default: tmpdir() },
    },
  });
  return {
    values: parsed.values,
    role: roleOf(parsed.positionals),
    bytes: wholeNumber('--mb', parsed.values.mb, LEAST_MIB, MOST_MIB) * MIB,
    bytesPerSecond: wholeNumber('--mb-per-second', parsed.values['mb-per-second']) * 1e6,
  };
});
const ETAG = '"1"';

interface Report {
  stored: Stored;
  seconds: number;
  peakParts: number;
  budgetPeakBytes: number;
  /** Of each quarter of the time. */
  residentBytes: number[];
}

const roles: Record<string, () => Promise<void>> = { main, source, download };
const [name, ...rest] = role;
const noise = createHash('shake256', { outputLength: 2 * MIB })
  .update('downburst')
  .digest();

await roles[name]?.();

async function main(): Promise<void> {
  const folder = readCommandLine(() => temporaryFolder(values.folder, 'downburst-split-'));
  const flags = ['--mb', values.mb, '--mb-per-second', values['mb-per-second']];
  using processes = createProcesses(import.meta.filename, flags, [
    `--max-old-space-size=${HEAP_LIMITS.maxOldGenerationSizeMb}`,
    `--max-semi-space-size=${Math.floor(HEAP_LIMITS.maxYoungGenerationSizeMb / 3)}`, // V8 makes three of it
  ]);
  const expected = createHash('sha256');
  for (let at = 0; at < bytes; at += PIECE_BYTES) expected.update(bytesAt(at, Math.min(bytes, at + PIECE_BYTES)));
  const digest = expected.digest('hex');
  const port = String(await processes.start<number>('source'));
  console.log(
    `a file of ${values.mb} MiB from a source of ${values['mb-per-second']} MB/s a connection, budget ${DEFAULT_BUDGET_BYTES / MIB} MiB`,
  );
  const seconds = new Map<number, number>();
  let passed = true;
  for (const connections of [1, 16, 64]) {
    const report = await processes.start<Report>(
      'download',
      port,
      join(folder, String(connections)),
      String(connections),
    );
    const isSound = (await digestOf(join(folder, String(connections), 'files', 'a'))) === digest;
    const peakMb = Math.max(...report.residentBytes) / 1e6;
    seconds.set(connections, report.seconds);
    passed &&= isSound && report.stored.bytes === bytes && peakMb < MAX_RESIDENT_MB;
    console.log(
      `${String(connections).padStart(2)} connections  ${report.seconds.toFixed(1)} s, ` +
        `${(bytes / 1e6 / report.seconds).toFixed(0)} MB/s, ${isSound ? 'whole' : 'NOT WHOLE'}; ` +
        `at most ${report.peakParts} parts under way, budget's peak ${(report.budgetPeakBytes / 1e6).toFixed(0)} MB, ` +
        `resident by quarters ${report.residentBytes.map((n) => (n / 1e6).toFixed(0)).join(', ')} MB`,
    );
    await rm(join(folder, String(connections)), { recursive: true });
  }
  const speedup = (seconds.get(1) ?? 0) / (seconds.get(16) ?? 1);
  passed &&= speedup >= LEAST_SPEEDUP;
  console.log(`16 connections are ${speedup.toFixed(1)} times as fast as one; must be ${LEAST_SPEEDUP}`);
  console.log(passed ? 'passed' : 'FAILED');
  process.exitCode = passed ? 0 : 1;
}

/** Serves the file, each answer at its speed. */
async function source(): Promise<void> {
  const server = createServer((request, response) => {
    const [, from = '0', last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    const end = last === undefined || last === '' ? bytes : Number(last) + 1;
    const headers = { etag: ETAG, 'accept-ranges': 'bytes', 'content-length': end - Number(from) };
    if (request.headers.range === undefined) response.writeHead(200, headers);
    else response.writeHead(206, { ...headers, 'content-range': `bytes ${from}-${end - 1}/${bytes}` });
    void send(response, Number(from), end);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.send?.((server.address() as AddressInfo).port);
}

async function send(response: ServerResponse, from: number, end: number): Promise<void> {
  const began = performance.now();
  for (let at = from; at < end && !response.destroyed; at += PIECE_BYTES) {
    const early = ((at - from) / bytesPerSecond) * 1000 - (performance.now() - began);
    if (early > 1) await setTimeout(early);
    await new Promise((resolve) => response.write(bytesAt(at, Math.min(end, at + PIECE_BYTES)), resolve));
  }
  response.end();
}

async function download(): Promise<void> {
  const [port, folder = '', connections = '1'] = rest;
  const store = createFileStore({
    root: join(folder, 'files'),
    tempRoot: join(folder, 'temp'),
    metadataRoot: join(folder, 'metadata'),
  });
  const budget = createByteBudget(DEFAULT_BUDGET_BYTES);
  const downloader = createDownloader({
    files: store,
    clock: systemClock,
    budget,
    resolve: () => Promise.reject(new Error('there are no names here')),
    allowedNetworks: parseNetworks(['127.0.0.0/8']),
    leastPartBytes: LEAST_PART_BYTES,
    splitBytes: 2 * LEAST_PART_BYTES,
  });
  let lent = 0;
  let peakParts = 1;
  const borrow: Job['borrow'] = () => {
    lent += 1;
    peakParts = Math.max(peakParts, 1 + lent);
    const end = () => {
      lent -= 1;
    };
    return Promise.resolve<Loan>({ end, drop: end, handOver: () => end });
  };
  const samples: number[] = [];
  const sampler = setInterval(() => void samples.push(process.memoryUsage.rss()), SAMPLE_MS);
  const began = performance.now();
  const stored = await downloader.download({
    batchId: 'bench',
    entry: { index: 1, url: `http://127.0.0.1:${port}/a`, key: 'a' },
    options: { ...DEFAULT_OPTIONS, prefix: '', ownPrefix: true, connectionsPerFile: Number(connections) },
    headers: {},
    signal: new AbortController().signal,
    enterHost: () => Promise.resolve(),
    borrow,
    keep: () => undefined,
  });
  const seconds = (performance.now() - began) / 1000;
  clearInterval(sampler);
  await downloader.close();
  const quarter = Math.ceil(samples.length / 4);
  const residentBytes = [0, 1, 2, 3].map((n) => Math.max(0, ...samples.slice(n * quarter, (n + 1) * quarter)));
  const report: Report = { stored, seconds, peakParts, budgetPeakBytes: budget.peakBytes, residentBytes };
  process.send?.(report);
}

/** Bytes of the file, within one piece of it: the same in every process, and others for each piece. */
function bytesAt(from: number, to: number): Buffer {
  const pieces: Buffer[] = [];
  for (let at = from; at < to;) {
    const piece = Math.floor(at / PIECE_BYTES);
    const end = Math.min(to, (piece + 1) * PIECE_BYTES);
    const start = ((piece * 104_729) % MIB) + (at % PIECE_BYTES);
    pieces.push(noise.subarray(start, start + (end - at)));
    at = end;
  }
  return pieces.length === 1 ? (pieces[0] ?? Buffer.of()) : Buffer.concat(pieces);
}
