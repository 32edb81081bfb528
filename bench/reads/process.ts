/**
 * A process that measures one kind of read of a batch that is half done: `process.ts HOST ENTRIES KIND FOLDER`. A batch has as
 * many shards as the host makes of so many entries.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { createClients, type AwsClients } from '../../adapters/aws/clients.ts';
import { readConfig } from '../../adapters/aws/config.ts';
import { createAwsStores } from '../../adapters/aws/stores.ts';
import { createFileStore } from '../../adapters/files/file-store.ts';
import { createSqliteLedger } from '../../adapters/sqlite/ledger.ts';
import { systemClock } from '../../adapters/system-clock.ts';
import { listOutcomes } from '../../core/batch/files.ts';
import type { DeploymentLimits, Service } from '../../core/batch/service.ts';
import { batchStatus } from '../../core/batch/status.ts';
import { resultsKey } from '../../core/model/layout.ts';
import { MAX_OUTCOMES_PER_CHECKPOINT } from '../../core/model/limits.ts';
import { DEFAULT_OPTIONS } from '../../core/model/options.ts';
import { noCounts } from '../../core/model/records.ts';
import { DEPLOYED_LIMITS } from '../../lambdas/environment.ts';
import { limitsFor } from '../../local/stores.ts';
import { startEmulators } from '../emulators.ts';

/** Outcomes of a page, as the API gives them if nothing is said. */
const PAGE = 100;
const REPEATS = 200;
const WARM_UP = 30;
const ID = '019b5c6e-8f00-7abc-8def-0123456789ab';

export type Kind = 'status' | 'files';
export type HostName = 'embedded' | 'deployed';

/** Of one call: times that half of them, and 95 of 100, do not exceed; what was asked of DynamoDB and S3. */
export interface Report {
  shards: number;
  p50Ms: number;
  p95Ms: number;
  requests: number;
  answerBytes: number;
}

type Stores = Pick<Service, 'ledger' | 'state' | 'clock'>;
type Limits = Pick<DeploymentLimits, 'maxShards' | 'minEntriesPerShard'>;

/** What went over the wire. */
interface Traffic {
  requests: number;
  answerBytes: number;
}

interface Opened extends AsyncDisposable {
  stores: Stores;
  limits: Limits;
  traffic: Traffic;
}

const [host, entries, kind, parent] = process.argv.slice(2) as [HostName, string, Kind, string];
await using opened = await (host === 'deployed' ? openDeployed() : openEmbedded());
process.send?.(await measure(opened, Number(entries), kind));

async function measure({ stores, limits, traffic }: Opened, total: number, kind: Kind): Promise<Report> {
  const shards = await fill(stores, limits, total);
  const call = () => (kind === 'status' ? batchStatus(stores, ID) : listOutcomes(stores, ID, { limit: PAGE }));
  for (let i = 0; i < WARM_UP; i++) await call();
  Object.assign(traffic, { requests: 0, answerBytes: 0 });
  const times: number[] = [];
  for (let i = 0; i < REPEATS; i++) {
    const from = performance.now();
    await call();
    times.push(performance.now() - from);
  }
  times.sort((a, b) => a - b);
  const within = (share: number) => times[Math.ceil(share * REPEATS) - 1] ?? NaN;
  const { requests, answerBytes } = traffic;
  return {
    ...{ shards, p50Ms: within(0.5), p95Ms: within(0.95) },
    ...{ requests: requests / REPEATS, answerBytes: answerBytes / REPEATS },
  };
}

/** A batch half-way: every shard has recorded its share of half the entries, in as many checkpoints as that takes. */
async function fill({ ledger, state, clock }: Stores, limits: Limits, entries: number): Promise<number> {
  const shards = Math.min(limits.maxShards, Math.ceil(entries / limits.minEntriesPerShard));
  const total = entries / shards;
  const done = Math.floor(total / 2);
  const now = clock.now();
  const options = { ...DEFAULT_OPTIONS, prefix: `${ID}/`, ownPrefix: true };
  await ledger.createBatch({
    id: ID,
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
  for (let shard = 0; shard < shards; shard++) {
    let seq = 0;
    for (let first = 0; first < done; first += MAX_OUTCOMES_PER_CHECKPOINT) {
      const count = Math.min(MAX_OUTCOMES_PER_CHECKPOINT, done - first);
      const lines = Array.from({ length: count }, (_, i) => {
        const key = `h${shard}.example/images/${first + i}.jpg`;
        const told = { bytes: 1234, attempts: 1, settledAt: now };
        return `${JSON.stringify({ index: i + 1, url: `https://${key}`, key, state: 'done', ...told })}\n`;
      });
      await state.put(resultsKey(ID, shard, { seq: ++seq, epoch: 1, failed: 0 }), Buffer.from(lines.join('')));
    }
    await ledger.createShard({
      ...noCounts(),
      batchId: ID,
      shard,
      rev: seq + 2,
      from: 0,
      to: 1000,
      total,
      done,
      hosts: 1,
      connections: 16,
      connectionsPerHost: 16,
      cursor: 500,
      retrying: 0,
      seq,
      epoch: 1,
      owner: { ticket: ID, turn: ID },
      leaseUntil: now + 1e9,
      wakeAt: now,
      ticketed: true,
      crashes: 0,
      rate: { filesPerSecond: 10, bytesPerSecond: 10_000, at: now },
    });
  }
  return shards;
}

function openEmbedded(): Promise<Opened> {
  const folder = mkdtempSync(join(parent, 'round-'));
  const ledger = createSqliteLedger(join(folder, 'ledger.sqlite'));
  const [root = '', tempRoot = '', metadataRoot = ''] = ['objects', 'temp', 'headers'].map((name) =>
    join(folder, name),
  );
  const state = createFileStore({ root, tempRoot, metadataRoot });
  return Promise.resolve({
    stores: { ledger, state, clock: systemClock },
    limits: limitsFor(availableParallelism()),
    traffic: { requests: 0, answerBytes: 0 },
    [Symbol.asyncDispose]: () =>
      Promise.try(() => {
        ledger.close();
        rmSync(folder, { recursive: true });
      }),
  });
}

async function openDeployed(): Promise<Opened> {
  const emulators = await startEmulators(createClients);
  const clients = createClients();
  const { ledger, state, close } = createAwsStores(readConfig(process.env), clients);
  return {
    stores: { ledger, state, clock: systemClock },
    limits: DEPLOYED_LIMITS,
    traffic: countTraffic(clients),
    async [Symbol.asyncDispose]() {
      close();
      await emulators.close();
    },
  };
}

/** Counts what clients ask from now on. */
function countTraffic({ dynamo, s3 }: AwsClients): Traffic {
  const traffic = { requests: 0, answerBytes: 0 };
  for (const client of Object.values({ dynamo, s3 }) as AwsClients['s3'][]) {
    client.middlewareStack.add(
      (next) => async (args) => {
        const result = await next(args);
        const { headers } = result.response as { headers: Record<string, string> };
        traffic.requests += 1;
        traffic.answerBytes += Number(headers['content-length'] ?? 0);
        return result;
      },
      { step: 'deserialize', priority: 'low', name: 'countTraffic' },
    );
  }
  return traffic;
}
