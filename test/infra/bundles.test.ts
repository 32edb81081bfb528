import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAwsStores } from '../../adapters/aws/stores.ts';
import { systemClock } from '../../adapters/system-clock.ts';
import type { Service } from '../../core/batch/service.ts';
import type { FileDocument, StatusDocument } from '../../http/documents.ts';
import type { HttpAnswer } from '../../lambdas/http-handler.ts';
import { startAws, type Aws } from '../helpers/aws.ts';
import { httpEvent, scheduledEvent, sqsEvent, type HttpRequest } from '../helpers/lambda-events.ts';
import { linesOf } from '../helpers/log.ts';
import { LIMITS, submit } from '../unit/batch/service.ts';
import { startFileOrigin } from '../integration/local/file-origin.ts';
import { build, startInstance, type Built, type Bundle, type Instance } from './bundles.ts';
import { expectGranted, watched } from './grants.ts';
import { receive } from './queue.ts';
import type { Need } from './recorder.ts';
import { functionsOf } from './synth.ts';

const NAMES = ['api', 'planner', 'status', 'sweeper', 'worker'];
/** Lambda reads a bundle at every cold start. */
const MAX_BUNDLE_BYTES = 2_000_000;

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

/** A function as the template deploys it, but for the emulators' names of its stores. */
async function deploy(name: string, aws: Aws): Promise<Instance & { needs: Need[] }> {
  const { env, needs } = await watched(aws);
  const variables = functionsOf(built.template).get(name)?.Properties.Environment.Variables ?? {};
  const plain = Object.entries(variables).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  const instance = await startInstance(bundleOf(name), { ...Object.fromEntries(plain), ...env });
  return { ...instance, needs };
}

interface Answer {
  statusCode: number;
  document: StatusDocument & { files: FileDocument[] };
}

async function ask(instance: Instance, request: HttpRequest): Promise<Answer> {
  const { statusCode, body } = (await instance.invoke(httpEvent(request))) as HttpAnswer;
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

  it.each(NAMES)('begin nothing before they are called: %s', async (name) => {
    const instance = await startInstance(bundleOf(name), {});
    expect(instance.begun).toEqual([]);
    await expect(instance.invoke({})).rejects.toThrow(
      'ConfigError: Downburst cannot start: DOWNBURST_TABLE is missing',
    );
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
    expect(await worker.invoke(sqsEvent(...messages))).toEqual({ batchItemFailures: [] });

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
    await sweeper.invoke(scheduledEvent());
    expect(await receive(aws)).toEqual([]);

    const planner = await deploy('planner', aws);
    await planner.invoke({ batchId });
    expect((await receive(aws)).map(({ body }) => JSON.parse(body) as unknown)).toEqual([{ batchId, shard: 0 }]);
    await sweeper.invoke(scheduledEvent());
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
