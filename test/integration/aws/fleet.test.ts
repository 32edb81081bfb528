import { createHash, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { createAwsStores } from '../../../adapters/aws/stores.ts';
import { LEASE_MS, TICKET_OVERDUE_MS } from '../../../core/model/limits.ts';
import type { WaitingList } from '../../../core/turn/waiting.ts';
import type { FileDocument, StatusDocument } from '../../../http/documents.ts';
import { S3_INTERNAL_ERROR, SLOW_DOWN, THROTTLED, type Fault, type WireCall } from '../../helpers/aws-wire.ts';
import { allIsSaid, watchClientSockets } from '../../helpers/client-sockets.ts';
import { cutOff, file, inTurn } from '../../helpers/origin-answers.ts';
import { startOrigin, type Answer } from '../../helpers/origin.ts';
import { rangeStart, serve } from '../../helpers/versions.ts';
import { fileBody, startFileOrigin } from '../local/file-origin.ts';
import { createChance } from './chance.ts';
import { startFleet, type Fleet } from './fleet.ts';

const FILES = 1000;
/** S3, DynamoDB and SQS requests of the workers for 1,000 files, besides the PUT of each file. */
const REQUEST_BUDGET = 30;

/** Bodies by URL. */
type Sources = Map<string, Buffer>;

async function startSources(count: number): Promise<Sources> {
  const origin = await startFileOrigin();
  return new Map(Array.from({ length: count }, (_, n) => [origin.file(n), fileBody(n)]));
}

/** Files that are stored in parts; every other one breaks off when it is first asked for, with a part on its way. */
async function startLargeSources(count: number): Promise<Sources> {
  const bodies = Array.from({ length: count }, (_, n) => Buffer.alloc(9_000_000 + n, `large ${n}\n`));
  const answers = bodies.map((body, n): [string, Answer] => {
    const large = { body, etag: `"${n}"` };
    const broken = inTurn(cutOff(body.subarray(0, 8_900_000), body.length), serve(large, 8_900_000), serve(large));
    return [`/${n}.iso`, n % 2 === 0 ? file(body) : broken];
  });
  const origin = await startOrigin(Object.fromEntries(answers));
  return new Map(bodies.map((body, n) => [origin.url(`/${n}.iso`), body]));
}

async function submit(fleet: Fleet, urls: readonly unknown[], options: object = {}): Promise<StatusDocument> {
  const { status, document } = await fleet.ask({
    method: 'POST',
    path: '/batches',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'fleet', urls, options }),
  });
  expect(status, fleet.logged.join('')).toBe(202);
  return document as StatusDocument;
}

async function listFiles(fleet: Fleet, batchId: string): Promise<FileDocument[]> {
  const files: FileDocument[] = [];
  let cursor = '';
  do {
    const path = `/batches/${batchId}/files?limit=1000${cursor && `&cursor=${cursor}`}`;
    const page = (await fleet.ask({ path })).document as { files: FileDocument[]; nextCursor?: string };
    files.push(...page.files);
    cursor = page.nextCursor ?? '';
  } while (cursor !== '');
  return files;
}

/** Every URL has one outcome, `done`, and its bytes are in the bucket, which holds nothing else. */
async function expectAllStored(fleet: Fleet, batchId: string, sources: Sources): Promise<void> {
  const files = await listFiles(fleet, batchId);
  expect(files.map(({ url }) => url).sort()).toEqual([...sources.keys()].sort());
  const stored = await fleet.readBucket();
  expect([...stored.keys()].sort()).toEqual(files.map(({ key }) => `files/${batchId}/${key}`).sort());
  for (const { url, key, state, bytes, sha256 } of files) {
    const body = sources.get(url) ?? Buffer.alloc(0);
    const digest = createHash('sha256').update(body).digest('hex');
    expect({ state, bytes }, url).toEqual({ state: 'done', bytes: body.length });
    // Of what two workers fetched together neither has seen every byte.
    if (sha256 !== undefined || !url.endsWith('.iso')) expect(sha256, url).toBe(digest);
    expect(stored.get(`files/${batchId}/${key}`), url).toBe(digest);
  }
}

test('1,000 files go from POST /batches into the bucket, for no more requests than stated', async () => {
  const fleet = await startFleet({ seed: 1 });
  const sources = await startSources(FILES);
  const { id } = await submit(fleet, [...sources.keys()]);
  const end = await fleet.finish(id);
  expect(end).toMatchObject({ state: 'finished', total: FILES, done: FILES, pending: 0 });
  await expectAllStored(fleet, id, sources);
  expect(fleet.announced).toHaveLength(1);
  expect(fleet.logged).toEqual([]);

  const { ofFiles, others } = fleet.requestsOfWorkers();
  const total = others.values().reduce((sum, count) => sum + count, 0);
  const list = [...others].map(([name, count]) => `${count} ${name}`).join(', ');
  console.log(`Requests of the workers for ${FILES} files: ${ofFiles} PUTs of files, ${total} others (${list})`);
  expect(ofFiles).toBe(FILES);
  expect(total).toBeLessThanOrEqual(REQUEST_BUDGET);
});

test('a large file comes over several connections, and goes on with what a checkpoint names when its worker dies', async () => {
  const connectionsPerHost = 4;
  const partBytes = 5 * 1024 ** 2; // S3 takes no smaller ones
  const large = { body: randomBytes(8 * partBytes - 1000), etag: '"1"' };
  let open = 0;
  let most = 0;
  const origin = await startOrigin({
    '/large.iso': async (visit) => {
      most = Math.max(most, (open += 1));
      visit.response.once('close', () => (open -= 1));
      await serve(large)(visit);
    },
  });
  const url = origin.url('/large.iso');
  const ofFirst = (wanted: string) => (call: WireCall) => call.owner === 'worker 1' && call.command === wanted;
  const fleet = await startFleet({
    seed: 2,
    sizes: { leastPartBytes: partBytes, splitBytes: 4 * partBytes },
    // Of a part, once it has written its lease and a checkpoint.
    diesOf: (call) => ofFirst('UploadPart')(call) && fleet.calls.filter(ofFirst('PutItem')).length > 1,
  });
  const { id } = await submit(fleet, [url], { connectionsPerHost });
  await fleet.run(() => fleet.deaths === 1);
  const { ledger, state } = createAwsStores(fleet.aws.config, fleet.aws.clients);
  const { waiting = '' } = (await ledger.getShard(id, 0)) ?? {};
  const { entries } = JSON.parse(String(await state.get(waiting))) as WaitingList;
  const known = entries.flatMap(({ partial }) => partial?.parts ?? []);
  const before = origin.requests.length;

  expect(await fleet.finish(id)).toMatchObject({ state: 'finished', total: 1, done: 1, pending: 0 });
  await expectAllStored(fleet, id, new Map([[url, large.body]]));
  expect(known.length).toBeGreaterThan(0);
  const there = new Set(known.map(({ number }) => (number - 1) * partBytes));
  for (const { headers } of origin.requests.slice(before)) expect(there.has(rangeStart(headers) ?? 0)).toBe(false);
  expect(fleet.uploads()).toEqual({ begun: 1, unheard: 0, leftByDead: 0, leftOpen: [] });
  expect(most).toBeGreaterThan(2);
  expect(most).toBeLessThanOrEqual(connectionsPerHost);
});

test('where one worker is the limit others help with a large file; of one that dies the rest is fetched once its lease is over', async () => {
  const partBytes = 5 * 1024 ** 2;
  const count = 18;
  const large = { body: randomBytes(count * partBytes - 1000), etag: '"1"' };
  const [stored, died] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
  const sockets = watchClientSockets();
  const origin = await startOrigin({
    '/large.iso': async (visit) => {
      const from = rangeStart(visit.request.headers);
      // The other parts of the first round come once the upload is there; the file's beginning, once help has come.
      if (from !== undefined && from < (count - 1) * partBytes) await stored.promise;
      if (from !== undefined) return serve(large)(visit);
      const headers = { etag: large.etag, 'accept-ranges': 'bytes', 'content-length': large.body.length };
      visit.response.writeHead(200, headers).write(large.body.subarray(0, 1000));
      await died.promise;
      visit.response.end(large.body.subarray(1000));
    },
  });
  const url = origin.url('/large.iso');
  const ofSource = () => sockets.filter(({ remotePort }) => remotePort === Number(new URL(url).port));
  /** Workers by the parts that they have stored; the first one asks the others. */
  const parts = new Map<string, number>();
  let dead: string | undefined;
  const fleet = await startFleet({
    seed: 2,
    sizes: {
      leastPartBytes: partBytes,
      splitBytes: 4 * partBytes,
      help: { workerBytesPerSecond: 0, worthMs: 0, measureMs: 0 },
    },
    atRest: () => origin.atRest && allIsSaid(ofSource(), [origin]),
    diesOf: ({ owner, command }) => {
      if (command !== 'UploadPart') return false;
      stored.resolve(undefined);
      parts.set(owner, (parts.get(owner) ?? 0) + 1);
      if (owner === 'worker 1' || dead !== undefined) return false;
      dead = owner;
      died.resolve(undefined);
      return true;
    },
  });
  const { id } = await submit(fleet, [url], { connectionsPerHost: 5 });
  expect(await fleet.finish(id)).toMatchObject({ state: 'finished', total: 1, done: 1, pending: 0 });
  await expectAllStored(fleet, id, new Map([[url, large.body]]));
  expect(fleet.deaths).toBe(1);
  expect(parts.size).toBeGreaterThan(1);
  expect(fleet.elapsedMs).toBeGreaterThanOrEqual(LEASE_MS);
  expect(fleet.uploads()).toMatchObject({ begun: 1, leftByDead: 0, leftOpen: [] });
});

// In 16 workers die while they take their lease.
test.each([3, 8, 16])(
  'so they do with tickets that come twice, workers that die, and answers that are errors or get lost; seed %i',
  async (seed) => {
    const chance = createChance(seed);
    const faults = new Map<string, number>();
    const fleet = await startFleet({
      seed,
      // Many shards, so that there is much to go wrong.
      limits: { minEntriesPerShard: 50, connectionsPerShard: 4 },
      again: ({ Body = '' }) => (chance(`again ${Body}`) < 0.5 ? 'same' : 'anew'),
      dies: (name) => (chance(`dies ${name}`) < 0.1 ? 1 + Math.floor(300 * chance(`when ${name}`) ** 2) : undefined),
      fault: (call, name) => {
        // A user would post the list again; here the batch is wanted that this call begins.
        if (call.owner === 'api' && call.attempts.length > 2) return undefined;
        const [kind, fault] = drawFault(call, chance(`fault ${name}`)) ?? [];
        if (kind !== undefined) faults.set(kind, (faults.get(kind) ?? 0) + 1);
        return fault;
      },
    });
    const sources = new Map([...(await startSources(FILES)), ...(await startLargeSources(8))]);
    const { id } = await submit(fleet, [...sources.keys()], { connectionsPerHost: 64 });
    const end = await fleet.finish(id);
    expect(end).toMatchObject({ state: 'finished', total: sources.size, done: sources.size, pending: 0 });
    const uploads = fleet.uploads();
    const { deaths, invocations, elapsedMs } = fleet;
    console.log(`Seed ${seed}:`, { elapsedMs, invocations, deaths, ...Object.fromEntries(faults), uploads });
    // Leases that ran out were waited for, and no ticket had to be missed by the sweeper.
    expect(elapsedMs).toBeLessThan(TICKET_OVERDUE_MS);

    fleet.endFaults();
    await expectAllStored(fleet, id, sources);
    expect(uploads.leftOpen).toEqual([]);
    // All of it did happen.
    expect([...faults.keys()].sort()).toEqual(KINDS.toSorted());
    expect(deaths).toBeGreaterThan(0);
    expect(uploads.unheard).toBeGreaterThan(0);
  },
);

const KINDS = [
  'lost answers',
  'lost requests',
  'S3: slow down',
  'S3: internal error',
  'S3: 200 and an error',
  'throttled',
];

/** What happens to an attempt, `x` of which was drawn; most have luck. */
function drawFault({ service, command }: WireCall, x: number): [string, Fault] | undefined {
  if (x < 0.005) return ['lost requests', 'lose request'];
  if (service === 's3' && x < 0.01) return ['S3: slow down', SLOW_DOWN];
  if (service === 's3' && x < 0.02) return ['S3: internal error', S3_INTERNAL_ERROR];
  if (service === 'dynamo' && x < 0.045) return ['throttled', THROTTLED];
  // There are few calls of these, and much depends on each.
  if (command === 'CompleteMultipartUpload' && x > 0.7) return ['S3: 200 and an error', ERROR_AFTER_200];
  const risk = command.endsWith('MultipartUpload') ? 0.25 : service === 'dynamo' ? 0.1 : 0.03;
  return x < risk ? ['lost answers', 'lose answer'] : undefined;
}

const ERROR_AFTER_200 = { status: 200, body: S3_INTERNAL_ERROR.body };
