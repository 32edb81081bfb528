import { expect, onTestFinished, test, vi } from 'vitest';
import { createAwsStores } from '../../../adapters/aws/stores.ts';
import type { PlanningService } from '../../../core/batch/service.ts';
import { parseNetworks } from '../../../core/download/address-guard.ts';
import { createByteBudget } from '../../../core/download/byte-budget.ts';
import { createDownloader } from '../../../core/download/create-downloader.ts';
import { STALLED_MS } from '../../../core/model/limits.ts';
import { METRICS } from '../../../core/model/metrics.ts';
import { createApiHandler } from '../../../lambdas/api.ts';
import { entryPoint, type Environment } from '../../../lambdas/environment.ts';
import { createSweeperHandler } from '../../../lambdas/sweeper.ts';
import { createWorkerHandler } from '../../../lambdas/worker.ts';
import { startAws } from '../../helpers/aws.ts';
import { everyNameIsLocal } from '../../helpers/download.ts';
import { httpEvent, invocation, sqsEvent } from '../../helpers/lambda-events.ts';
import { fieldsOf, linesOf, outputOf } from '../../helpers/log.ts';
import { createManualClock } from '../../helpers/manual-clock.ts';
import { startOrigin } from '../../helpers/origin.ts';
import { file, status } from '../../helpers/origin-answers.ts';
import { receive } from '../../infra/queue.ts';
import { changeShard } from '../../unit/batch/outcomes.ts';
import { LIMITS } from '../../unit/batch/service.ts';

const MIB = 1024 ** 2;
const MINUTE = 60_000;

/** The functions as their entry points make them, over the emulators, allowed to download from this machine. */
async function startFunctions() {
  const aws = await startAws();
  vi.stubEnv('DOWNBURST_DEPLOYMENT', 'Test');
  const stores = createAwsStores(aws.config, aws.clients);
  const clock = createManualClock();
  const serviceOf = ({ service, log, meter }: Environment): PlanningService => ({
    ...service,
    ...stores,
    clock,
    // The longest pauses: a turn does not wait for a retry, but ends.
    random: () => 1 - Number.EPSILON,
    limits: LIMITS,
    announce: () => Promise.resolve(),
    warn: log.warn,
    meter: meter.record,
  });
  const api = entryPoint((environment) => createApiHandler(serviceOf(environment), environment.log));
  const sweeper = entryPoint((environment) => createSweeperHandler(serviceOf(environment)));
  const worker = entryPoint((environment) => {
    const service = serviceOf(environment);
    const { download, close } = createDownloader({
      ...service,
      files: stores.files,
      budget: createByteBudget(64 * MIB),
      resolve: everyNameIsLocal,
      allowedNetworks: parseNetworks(['127.0.0.0/8']),
    });
    onTestFinished(close);
    return createWorkerHandler({ ...service, download }, environment.log);
  });
  return { aws, stores, clock, api, sweeper, worker };
}

/** The lines of an output that are metrics, without what CloudWatch is told of them; and the others. */
function sorted(output: string) {
  const lines = linesOf(output);
  const metrics = lines.filter((line) => '_aws' in line).map(fieldsOf);
  return { metrics, logged: lines.filter((line) => !('_aws' in line)) };
}

test('the functions say what they did: by metrics, and by lines that name batch, shard and requests, and no secret', async () => {
  const { aws, stores, clock, api, worker } = await startFunctions();
  const origin = await startOrigin({
    '/small': file('small'),
    '/flaky': (visit) => (visit.earlier === 0 ? status(500)(visit) : file('at last')(visit)),
    '/missing': status(404),
  });
  const urls = ['/small', '/flaky', '/missing'].map((path) => origin.url(`${path}?token=s3cr3t`));
  const body = JSON.stringify({ urls, options: { headers: { authorization: 's3cr3t' } } });
  let id = '';
  const submitted = await outputOf(async () => {
    const headers = { 'content-type': 'application/json' };
    const answer = await api(httpEvent({ method: 'POST', path: '/batches', headers, body }), invocation(MINUTE));
    ({ id } = JSON.parse(answer.body) as { id: string });
  });
  expect(submitted).toBe('');

  const [message] = await receive(aws);
  if (!message) throw new Error('There is no ticket.');
  const first = invocation(15 * MINUTE);
  const began = await outputOf(() => worker(sqsEvent(message), first));
  const { metrics, logged } = sorted(began);
  expect(metrics).toEqual([
    {
      deployment: 'Test',
      FilesStored: 1,
      BytesStored: 5,
      FilesFailed: 1,
      Retries: 1,
      Checkpoints: 1,
      SourceLatency: [0, 0, 0],
      WorkerMemoryPeak: expect.any(Number) as number,
    },
    { deployment: 'Test', code: 'NOT_FOUND', FilesFailed: 1 },
  ]);
  expect(metrics[0]?.WorkerMemoryPeak).toBeGreaterThan(10 * MIB);
  const { messageId } = message;
  const ids = { batchId: id, shard: 0, messageId, function_request_id: first.awsRequestId };
  expect(logged).toEqual([
    expect.objectContaining({ level: 'INFO', message: 'a turn begins', receiveCount: 1, ...ids }),
  ]);

  // As a worker leaves it that is killed.
  await changeShard(stores, id, 0, { owner: { ticket: 'other', turn: 'other' }, leaseUntil: clock.now(), epoch: 7 });
  await clock.advance(MINUTE);
  const ended = await outputOf(() => worker(sqsEvent(message), invocation(15 * MINUTE)));
  expect(sorted(ended).metrics).toEqual([expect.objectContaining({ Crashes: 1, FilesStored: 1, BytesStored: 7 })]);
  expect(sorted(ended).logged).toContainEqual(
    expect.objectContaining({ level: 'WARN', batchId: id, shard: 0, messageId, epoch: 8, crashes: 1 }),
  );
  expect(await stores.ledger.getBatch(id)).toMatchObject({ state: 'finished', final: { done: 2, failed: 1 } });

  for (const output of [submitted, began, ended]) expect(output).not.toContain('s3cr3t');
  const known = new Set([...Object.keys(METRICS), 'deployment', 'code']);
  const named = [began, ended].flatMap((output) => sorted(output).metrics.flatMap((line) => Object.keys(line)));
  expect(named.filter((name) => !known.has(name))).toEqual([]);
});

test('the sweeper measures at every run, and fails after it has looked at all batches if one was in trouble', async () => {
  const { stores, clock, api, sweeper } = await startFunctions();
  const sweep = () => outputOf(() => sweeper(undefined, invocation(MINUTE)).catch(() => undefined));
  const quiet = await sweep();
  expect(sorted(quiet)).toEqual({ metrics: [{ deployment: 'Test', SweeperTickets: 0, SilentBatches: 0 }], logged: [] });

  const post = () => {
    const event = {
      method: 'POST',
      path: '/batches',
      headers: { 'content-type': 'application/json' },
      body: '{"urls": ["https://a.example/"]}',
    };
    return api(httpEvent(event), invocation(MINUTE));
  };
  await post();
  await clock.advance(1); // a batch's id is made of time and chance, and chance is fixed here
  await post();
  const [broken = '', silent = ''] = await stores.ledger.listOpen();
  const record = await stores.ledger.getBatch(broken);
  if (!record) throw new Error('There is no batch.');
  await stores.ledger.replaceBatch({ ...record, rev: record.rev + 1, state: 'planning' });
  await stores.state.delete(`batches/${broken}/plan.json`);
  await clock.advance(STALLED_MS + 1);

  const { metrics, logged } = sorted(await sweep());
  expect(metrics).toEqual([{ deployment: 'Test', SweeperTickets: 0, SilentBatches: 1 }]);
  expect(logged).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ level: 'WARN', message: 'sweep failed', batchId: broken }),
      expect.objectContaining({ level: 'WARN', message: 'no checkpoint for 30 minutes', batchId: silent }),
      expect.objectContaining({ level: 'ERROR', message: 'the invocation failed' }),
    ]),
  );
});
