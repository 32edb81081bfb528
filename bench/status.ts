/**
 * How long a status and the first page of files take for a batch of a million entries, beside one of a thousand in the
 * same run: on SQLite and plain files, and on DynamoDB's and S3's protocols (dynalite, fauxqs).
 *
 *     node bench/status.ts [entries]
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClients } from '../adapters/aws/clients.ts';
import { readConfig } from '../adapters/aws/config.ts';
import { createAwsStores } from '../adapters/aws/stores.ts';
import { createFileStore } from '../adapters/files/file-store.ts';
import { createSqliteLedger } from '../adapters/sqlite/ledger.ts';
import { systemClock } from '../adapters/system-clock.ts';
import { listOutcomes } from '../core/batch/files.ts';
import type { Service } from '../core/batch/service.ts';
import { batchStatus } from '../core/batch/status.ts';
import { resultsKey } from '../core/model/layout.ts';
import { MAX_OUTCOMES_PER_CHECKPOINT } from '../core/model/limits.ts';
import { DEFAULT_OPTIONS } from '../core/model/options.ts';
import { noCounts } from '../core/model/records.ts';
import { startEmulators } from './emulators.ts';

/** A deployment's most shards, and the fewest entries that it makes one of. */
const MAX_SHARDS = 1000;
const MIN_ENTRIES_PER_SHARD = 200;
/** Outcomes of a page, as the API gives them if nothing is said. */
const PAGE = 100;
const REPEATS = 100;
const WARM_UP = 10;
const HOSTS = ['sqlite', 'aws'] as const;

type Stores = Pick<Service, 'ledger' | 'state' | 'clock'>;

interface Result {
  shards: number;
  statusMs: number;
  filesMs: number;
}

const [first, ...rest] = process.argv.slice(2);
if (first === '--measure') await measureIn(rest[0] ?? '', Number(rest[1]));
else compare(Number(first ?? 1_000_000));

function compare(entries: number): void {
  for (const host of HOSTS) {
    const small = inChild(host, 1000);
    const large = inChild(host, entries);
    for (const [of, { shards, statusMs, filesMs }] of [[1000, small] as const, [entries, large] as const]) {
      const name = `${of.toLocaleString('en')} entries, ${shards} shards`;
      console.log(
        `${host}: ${name}: status p95 ${statusMs.toFixed(2)} ms, first page of files p95 ${filesMs.toFixed(2)} ms`,
      );
    }
    const ratio = (of: keyof Result) => (large[of] / small[of]).toFixed(1);
    console.log(`${host}: ratio: status ${ratio('statusMs')}, files ${ratio('filesMs')}, shards ${ratio('shards')}`);
  }
}

/** In a process of its own, so that one does not find the memory and the caches of another. */
function inChild(host: string, entries: number): Result {
  const child = spawnSync(process.execPath, [import.meta.filename, '--measure', host, `${entries}`], {
    encoding: 'utf8',
  });
  if (child.status !== 0) throw new Error(`${host} failed:\n${child.stderr}`);
  return JSON.parse(child.stdout) as Result;
}

async function measureIn(host: string, entries: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'downburst-bench-'));
  try {
    const { stores, close } = await (host === 'aws' ? openAws() : openLocal(folder));
    const { id, shards } = await fill(stores, entries);
    const statusMs = await p95(() => batchStatus(stores, id));
    const filesMs = await p95(() => listOutcomes(stores, id, { limit: PAGE }));
    console.log(JSON.stringify({ shards, statusMs, filesMs } satisfies Result));
    await close();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A batch half-way: every shard has recorded one checkpoint with a share of half the entries. */
async function fill({ ledger, state, clock }: Stores, entries: number): Promise<{ id: string; shards: number }> {
  const id = '019b5c6e-8f00-7abc-8def-0123456789ab';
  const shards = Math.min(MAX_SHARDS, Math.ceil(entries / MIN_ENTRIES_PER_SHARD));
  const total = entries / shards;
  const now = clock.now();
  const options = { ...DEFAULT_OPTIONS, prefix: `${id}/`, ownPrefix: true };
  await ledger.createBatch({
    id,
    rev: 1,
    state: 'running',
    createdAt: now,
    deadline: now + 1e9,
    total: entries,
    duplicates: 0,
    shardCount: shards,
    hostCount: shards,
    options,
    hasSecrets: false,
  });
  const done = Math.min(total / 2, MAX_OUTCOMES_PER_CHECKPOINT);
  for (let shard = 0; shard < shards; shard++) {
    const lines = Array.from({ length: done }, (_, i) => {
      const key = `h${shard}.example/images/${i}.jpg`;
      const outcome = {
        index: i + 1,
        url: `https://${key}`,
        key,
        state: 'done',
        bytes: 1234,
        attempts: 1,
        settledAt: now,
      };
      return `${JSON.stringify(outcome)}\n`;
    });
    await state.put(resultsKey(id, shard, { seq: 1, epoch: 1, failed: 0 }), Buffer.from(lines.join('')));
    await ledger.createShard({
      ...noCounts(),
      batchId: id,
      shard,
      rev: 3,
      from: 0,
      to: 1000,
      total,
      done,
      hosts: 1,
      connections: 16,
      connectionsPerHost: 16,
      cursor: 500,
      retrying: 0,
      seq: 1,
      epoch: 1,
      owner: { ticket: id, turn: id },
      leaseUntil: now + 1e9,
      wakeAt: now,
      ticketed: true,
      crashes: 0,
      rate: { filesPerSecond: 10, bytesPerSecond: 10_000, at: now },
    });
  }
  return { id, shards };
}

/** The time that 95 of 100 calls do not exceed, in milliseconds. */
async function p95(call: () => Promise<unknown>): Promise<number> {
  for (let i = 0; i < WARM_UP; i++) await call();
  const times: number[] = [];
  for (let i = 0; i < REPEATS; i++) {
    const from = performance.now();
    await call();
    times.push(performance.now() - from);
  }
  times.sort((a, b) => a - b);
  return times[Math.ceil(0.95 * REPEATS) - 1] ?? NaN;
}

interface Opened {
  stores: Stores;
  close: () => Promise<void>;
}

function openLocal(folder: string): Promise<Opened> {
  const ledger = createSqliteLedger(join(folder, 'ledger.sqlite'));
  const [root, tempRoot, metadataRoot] = ['objects', 'temp', 'headers'].map((name) => join(folder, name));
  const state = createFileStore({ root: root ?? '', tempRoot: tempRoot ?? '', metadataRoot: metadataRoot ?? '' });
  return Promise.resolve({
    stores: { ledger, state, clock: systemClock },
    close: () => Promise.try(() => ledger.close()),
  });
}

async function openAws(): Promise<Opened> {
  const emulators = await startEmulators(createClients);
  const { ledger, state, close } = createAwsStores(readConfig(process.env));
  return {
    stores: { ledger, state, clock: systemClock },
    async close() {
      close();
      await emulators.close();
    },
  };
}
