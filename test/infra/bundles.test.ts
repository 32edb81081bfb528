import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createAwsStores } from '../../adapters/aws/stores.ts';
import { systemClock } from '../../adapters/system-clock.ts';
import type { Service } from '../../core/batch/service.ts';
import { TURN_END_MS } from '../../core/model/limits.ts';
import type { FileDocument, StatusDocument } from '../../http/documents.ts';
import type { HttpAnswer } from '../../lambdas/http-handler.ts';
import { startAws, type Aws } from '../helpers/aws.ts';
import { httpEvent, scheduledEvent, sqsEvent, type HttpRequest } from '../helpers/lambda-events.ts';
import { linesOf } from '../helpers/log.ts';
import { LIMITS, submit } from '../unit/batch/service.ts';
import { startFileOrigin } from '../integration/local/file-origin.ts';
import { build, eagerModules, type Built, type Bundle } from './bundles.ts';
import { expectGranted, watched } from './grants.ts';
import { startInstance, type Instance } from './instance.ts';
import { receive } from './queue.ts';
import type { Need } from './needs.ts';
import { functionsOf } from './synth.ts';

const NAMES = ['api', 'planner', 'status', 'sweeper', 'worker'];
/** Lambda reads a bundle at every cold start. */
const MAX_BUNDLE_BYTES = 1_500_000;
const MISSING = /^Downburst cannot start: DOWNBURST_TABLE is missing; DOWNBURST_STATE_BUCKET is missing; /;

let folder: string;
let built: Built;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'downburst-synth-'));
  built = await build(folder);
  for (const [name, { bytes, gzippedBytes }] of built.bundles) {
    console.log(`${name}: ${Math.round(bytes / 1000)} KB, gzipped ${Math.round(gzippedBytes / 1000)} KB`);
  }
});
afterAll(() => rm(folder, { recursive: true }));

function bundleOf(name: string): Bundle {
  const bundle = built.bundles.get(name);
  if (!bundle) throw new Error(`There is no function ${name}.`);
  return bundle;
}

/** A function in a process of its own, gone when the running test ends. */
async function start(bundle: Bundle, env: Record<string, string>): Promise<Instance> {
  const instance = await startInstance(bundle, env);
  onTestFinished(() => instance.end().then(() => undefined));
  return instance;
}

/** A function as the template deploys it, but for the emulators' names of its stores. */
async function deploy(name: string, aws: Aws): Promise<Instance & { needs: Need[] }> {
  const { env, needs } = await watched(aws);
  const variables = functionsOf(built.template).get(name)?.Properties.Environment.Variables ?? {};
  const plain = Object.entries(variables).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  const instance = await start(bundleOf(name), { ...Object.fromEntries(plain), ...env });
  expect(instance.failure).toBeUndefined();
  return { ...instance, needs };
}

/** The answer to an event; an error fails the test. */
async function answerOf(instance: Instance, event: unknown, timeLimitMs?: number): Promise<unknown> {
  const outcome = await instance.invoke(event, timeLimitMs);
  if ('error' in outcome) throw new Error(`${outcome.error.errorType}: ${outcome.error.errorMessage}`);
  return outcome.answer;
}

interface Answer {
  statusCode: number;
  document: StatusDocument & { files: FileDocument[] };
}

async function ask(instance: Instance, request: HttpRequest): Promise<Answer> {
  const { statusCode, body } = (await answerOf(instance, httpEvent(request))) as HttpAnswer;
  return { statusCode, document: JSON.parse(body) as Answer['document'] };
}

function post(instance: Instance, path: string, body?: object): Promise<Answer> {
  const headers = { 'content-type': 'application/json' };
  return ask(instance, { method: 'POST', path, headers, ...(body && { body: JSON.stringify(body) }) });
}

describe('the built functions', () => {
  it('are five, none too large', () => {
    expect([...built.bundles.keys()].sort()).toEqual(NAMES);
    for (const { bytes } of built.bundles.values()) expect(bytes).toBeLessThan(MAX_BUNDLE_BYTES);
  });

  const PARSERS = ['core/lists/table.ts', 'node_modules/csv-parse/', 'node_modules/@streamparser/'];
  const ON_DEMAND = ['http/openapi.ts', 'node_modules/csv-stringify/'];
  it('load at a cold start nothing that they do not need', async () => {
    const unneeded = {
      api: [...ON_DEMAND, 'core/turn/', 'core/download/connections.ts'],
      status: [...ON_DEMAND, ...PARSERS, 'core/turn/', 'core/download/connections.ts', 'core/plan/collect.ts'],
      planner: ['http/', 'core/turn/', 'core/download/connections.ts', 'node_modules/hono/'],
      worker: ['http/', ...PARSERS, 'core/plan/collect.ts', 'node_modules/hono/'],
      sweeper: ['http/', ...PARSERS, 'core/turn/', 'core/plan/collect.ts', 'node_modules/hono/', 'node_modules/zod/'],
    };
    const modules = await eagerModules(NAMES);
    for (const [name, starts] of Object.entries(unneeded)) {
      const loaded = modules.get(name) ?? [];
      expect(loaded).toContain(`lambdas/${name}.ts`);
      expect(loaded.filter((module) => starts.some((start) => module.startsWith(start)))).toEqual([]);
    }
  });

  it.each(NAMES)('begin nothing before they are called: %s', async (name) => {
    // A process ends by itself when nothing is left that could go on.
    const load = `await import(${JSON.stringify(pathToFileURL(bundleOf(name).file))})`;
    const loaded = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', load], { env: {} });
    expect(loaded).toEqual({ stdout: '', stderr: '' });
  });

  it.each(NAMES)(
    'say what is missing where they are not configured, each time that they are called: %s',
    async (name) => {
      const instance = await start(bundleOf(name), { NODE_OPTIONS: '--enable-source-maps' });
      expect(instance.failure).toBeUndefined();
      for (let call = 0; call < 2; call++) {
        const outcome = await instance.invoke({});
        const error = { errorType: 'ConfigError', errorMessage: expect.stringMatching(MISSING) as string };
        expect(outcome).toMatchObject({ error });
        // Told by the lines of the source.
        expect(JSON.stringify(outcome)).toContain('adapters/aws/config.ts:');
      }
      const lines = (await instance.end()).trimEnd().split('\n');
      const logged = lines.map((line) => JSON.parse(line) as { level: string; message: { name: string } });
      expect(logged.map(({ level, message }) => [level, message.name])).toEqual([
        ['ERROR', 'ConfigError'],
        ['ERROR', 'ConfigError'],
      ]);
    },
  );
  it('are not started where the template names another handler than they have', async () => {
    const handler = bundleOf('status').handler.replace(/\.\w+$/, '.nothing');
    const { failure } = await start({ ...bundleOf('status'), handler }, {});
    expect(failure).toMatchObject({
      errorType: 'Runtime.HandlerNotFound',
      errorMessage: 'index.nothing is undefined or not exported',
    });
  });

  it('bring a batch from its list to its end, with what they may do', async () => {
    const aws = await startAws();
    const origin = await startFileOrigin();
    const api = await deploy('api', aws);
    const status = await deploy('status', aws);
    const worker = await deploy('worker', aws);

    const { statusCode, document: begun } = await post(api, '/batches', {
      name: 'loopback',
      urls: [origin.file(0), origin.file(1)],
      options: { prefix: 'shared/', headers: { authorization: 's3cr3t' } },
    });
    expect([statusCode, begun.state, begun.total]).toEqual([202, 'running', 2]);

    const messages = await receive(aws);
    expect(messages).toHaveLength(1);
    // Where no time is left for anything, the ticket comes again; so it does at once, and to the same process.
    const kept = { batchItemFailures: [{ itemIdentifier: messages[0]?.messageId }] };
    expect(await answerOf(worker, sqsEvent(...messages), TURN_END_MS)).toEqual(kept);
    expect(await answerOf(worker, sqsEvent(...(await receive(aws))))).toEqual({ batchItemFailures: [] });

    const path = `/batches/${begun.id}`;
    const { document: ended } = await ask(status, { path });
    // What is deployed downloads from no loopback address.
    expect(ended).toMatchObject({ state: 'finished', failed: 2, pending: 0, failures: { BLOCKED_ADDRESS: 2 } });
    const { document: page } = await ask(status, { path: `${path}/files?state=failed` });
    expect(page.files.map(({ url }) => url)).toEqual([origin.file(0), origin.file(1)]);
    expect(origin.requests()).toBe(0);

    for (const [name, { needs }] of Object.entries({ api, status, worker })) {
      expect(needs.length).toBeGreaterThan(0);
      expectGranted(built.template, name, needs, aws);
    }
    expect(linesOf(await worker.end())).toEqual([
      // Of the turn that had no time, and what that measured.
      expect.objectContaining({ message: 'a turn begins', batchId: begun.id, shard: 0 }),
      expect.objectContaining({ _aws: expect.anything() as unknown }),
      expect.objectContaining({ message: 'a turn begins', batchId: begun.id, shard: 0 }),
      expect.objectContaining({ message: 'batch closed', batchId: begun.id, failed: 2 }),
      expect.objectContaining({ FilesFailed: 2, ClosedBatches: 1 }),
      expect.objectContaining({ FilesFailed: 2, code: 'BLOCKED_ADDRESS' }),
    ]);
    expect(await api.end()).toBe('');
    expect(await status.end()).toBe('');
  });

  it('cancel a batch', async () => {
    const aws = await startAws();
    const api = await deploy('api', aws);
    const { document: begun } = await post(api, '/batches', { urls: ['https://a.example/'] });
    const { document: ended } = await post(api, `/batches/${begun.id}/cancel`);
    expect(ended).toMatchObject({ state: 'cancelled', cancelled: 1 });
    expectGranted(built.template, 'api', api.needs, aws);
  });

  it('bring half-done planning on, and look after what is open', async () => {
    const aws = await startAws();
    const batchId = await planHalf(aws);
    const sweeper = await deploy('sweeper', aws);
    expect(await answerOf(sweeper, scheduledEvent())).toBeNull();
    expect(await receive(aws)).toEqual([]);

    const planner = await deploy('planner', aws);
    expect(await planner.invoke({ batch: batchId })).toMatchObject({ error: { errorType: 'ZodError' } });
    expect(await answerOf(planner, { batchId })).toBeNull();
    expect((await receive(aws)).map(({ body }) => JSON.parse(body) as unknown)).toEqual([{ batchId, shard: 0 }]);
    expect(await answerOf(sweeper, scheduledEvent())).toBeNull();
    for (const [name, { needs }] of Object.entries({ planner, sweeper })) {
      expect(needs.length).toBeGreaterThan(0);
      expectGranted(built.template, name, needs, aws);
    }
    const nothingFound = expect.objectContaining({ SweeperTickets: 0, SilentBatches: 0 }) as object;
    expect(linesOf(await sweeper.end())).toEqual([nothingFound, nothingFound]);
  });
});

/** Leaves a batch as a planner does that died before its first shard record. */
async function planHalf({ config, clients }: Aws): Promise<string> {
  const stores = createAwsStores(config, clients);
  const service: Service = {
    ...stores,
    ledger: { ...stores.ledger, createShard: () => Promise.reject(new Error('The planner died.')) },
    clock: systemClock,
    random: Math.random,
    limits: LIMITS,
    announce: () => Promise.resolve(),
    warn: () => undefined,
  };
  await expect(submit(service, ['https://a.example/'])).rejects.toThrow('The planner died.');
  const [batchId = ''] = await stores.ledger.listOpen();
  return batchId;
}
