/**
 * Plans lists of a million URLs, or as many as are said, from a file into a folder, as a planner does, beside what `wc -l` and `sort` take for the same
 * list in the same run.
 *
 *     node bench/plan.ts [urls]
 */
import { spawnSync } from 'node:child_process';
import { createReadStream, createWriteStream, mkdtempSync, rmSync, statSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createFileStore } from '../adapters/files/file-store.ts';
import { createSqliteLedger } from '../adapters/sqlite/ledger.ts';
import { createSqliteTickets } from '../adapters/sqlite/tickets.ts';
import { systemClock } from '../adapters/system-clock.ts';
import { submitBatch } from '../core/batch/submit.ts';
import { readList } from '../core/lists/formats.ts';
import { MAX_LIST_BYTES } from '../core/model/limits.ts';
import { limitsFor } from '../local/stores.ts';

const MIB = 1024 ** 2;
/** Characters of the list that are written at once. */
const BLOCK_CHARACTERS = 65_536;

interface Result {
  seconds: number;
  peakBytes: number;
  shards: number;
}

const [first, ...rest] = process.argv.slice(2);
if (first === '--plan') await planList(rest[0] ?? '', rest[1] ?? '');
else await compare(Number(first ?? 1_000_000));

async function compare(urls: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'downburst-bench-'));
  try {
    for (const hosts of [1, 1000, urls / 10]) {
      const list = join(folder, `${hosts}.txt`);
      await pipeline(Readable.from(textOf(urls, hosts)), createWriteStream(list));
      const count = (n: number) => n.toLocaleString('en');
      console.log(`${count(urls)} URLs, hosts: ${count(hosts)}, ${(statSync(list).size / MIB).toFixed(0)} MiB`);

      const wc = secondsOf('wc', ['-l', list]);
      const sort = secondsOf('sort', ['-o', `${list}.sorted`, list]);
      const { seconds, peakBytes, shards } = JSON.parse(
        run(process.execPath, [import.meta.filename, '--plan', list, join(folder, `${hosts}`)]),
      ) as Result;
      console.log(`  wc -l  ${wc.toFixed(2)} s`);
      console.log(`  sort   ${sort.toFixed(2)} s`);
      console.log(
        `  plan   ${seconds.toFixed(2)} s, ${(peakBytes / MIB).toFixed(0)} MiB resident at the most, ${shards} shards; ` +
          `${(seconds / sort).toFixed(1)} × sort, ${(seconds / wc).toFixed(0)} × wc -l`,
      );
      rmSync(list);
      rmSync(`${list}.sorted`);
      rmSync(join(folder, `${hosts}`), { recursive: true });
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
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

/** Submits a list in this process, and prints what it took. */
async function planList(list: string, folder: string): Promise<void> {
  const state = createFileStore({
    root: `${folder}/objects`,
    tempRoot: `${folder}/temp`,
    metadataRoot: `${folder}/meta`,
  });
  const ledger = createSqliteLedger(`${folder}/ledger.sqlite`);
  const tickets = createSqliteTickets(`${folder}/tickets.sqlite`, systemClock);
  const service = {
    ledger,
    tickets,
    state,
    files: state,
    clock: systemClock,
    random: Math.random,
    limits: limitsFor(availableParallelism()),
    announce: () => Promise.resolve(),
    warn: console.error,
  };
  const from = performance.now();
  const items = readList(createReadStream(list), 'text', MAX_LIST_BYTES);
  const id = await submitBatch(service, { items, options: {}, headers: {} });
  const seconds = (performance.now() - from) / 1000;
  const batch = await ledger.getBatch(id);
  const result: Result = { seconds, peakBytes: process.resourceUsage().maxRSS * 1024, shards: batch?.shardCount ?? 0 };
  console.log(JSON.stringify(result));
  ledger.close();
  tickets.close();
}

function run(command: string, parameters: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, parameters, {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  });
  if (status !== 0) throw error ?? new Error(`${command} failed: ${stderr}`);
  return stdout;
}

function secondsOf(command: string, parameters: string[]): number {
  const from = performance.now();
  run(command, parameters);
  return (performance.now() - from) / 1000;
}
