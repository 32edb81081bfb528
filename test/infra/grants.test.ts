import { expect, it, onTestFinished, vi } from 'vitest';
import { createAwsStores } from '../../adapters/aws/stores.ts';
import { parseNetworks } from '../../core/download/address-guard.ts';
import { createByteBudget } from '../../core/download/byte-budget.ts';
import { createDownloader } from '../../core/download/create-downloader.ts';
import type { TurnDeps } from '../../core/turn/turn.ts';
import type { PlanningService } from '../../core/batch/service.ts';
import { createApiHandler } from '../../lambdas/api.ts';
import { createPlannerHandler } from '../../lambdas/planner.ts';
import { createWorkerHandler } from '../../lambdas/worker.ts';
import { startAws } from '../helpers/aws.ts';
import { everyNameIsLocal } from '../helpers/download.ts';
import { httpEvent, invocation, sqsEvent } from '../helpers/lambda-events.ts';
import { createTestLog } from '../helpers/log.ts';
import { createManualClock } from '../helpers/manual-clock.ts';
import { startOrigin } from '../helpers/origin.ts';
import { cutOff, file } from '../helpers/origin-answers.ts';
import { outcome, settle } from '../unit/batch/outcomes.ts';
import { LIMITS, submit } from '../unit/batch/service.ts';
import { expectGranted, watched } from './grants.ts';
import { receive } from './queue.ts';
import { synthesise } from './synth.ts';

const MIB = 1024 ** 2;
const MINUTE = 60_000;

it('a worker may do all that storing takes: small files, large ones, uploads given up, and what waits', async () => {
  const aws = await startAws();
  const { env, needs } = await watched(aws);
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  const stores = createAwsStores({ ...aws.config, queueUrl: env.DOWNBURST_QUEUE_URL ?? '' });
  onTestFinished(() => stores.close());

  const large = Buffer.alloc(20 * MIB, 'a');
  const whole = file(large);
  const brokenAtFirst = cutOff(large.subarray(0, 12 * MIB), large.length);
  const origin = await startOrigin({
    '/small': file('small'),
    '/large': whole,
    '/broken': (visit) => (visit.earlier === 0 ? brokenAtFirst(visit) : whole(visit)),
  });

  const clock = createManualClock();
  const { download, close } = createDownloader({
    files: stores.files,
    clock,
    budget: createByteBudget(64 * MIB),
    resolve: everyNameIsLocal,
    allowedNetworks: parseNetworks(['127.0.0.0/8']),
  });
  onTestFinished(close);
  const deps: TurnDeps = {
    ...stores,
    clock,
    // The longest pauses: a turn does not wait for a retry, but ends.
    random: () => 1 - Number.EPSILON,
    limits: LIMITS,
    announce: () => Promise.resolve(),
    warn: () => undefined,
    download,
  };
  const batchId = await submit(
    deps,
    ['/small', '/large', '/broken'].map((path) => origin.url(path)),
    {
      options: { prefix: 'shared/' },
      headers: { authorization: 's3cr3t' },
    },
  );
  const submitted = needs.length;
  const messages = await receive(aws);
  expect(messages).toHaveLength(1);

  const work = createWorkerHandler(deps, createTestLog().log);
  const first = await work(sqsEvent(...messages), invocation(15 * MINUTE));
  expect(first.batchItemFailures).toHaveLength(1);
  await clock.advance(MINUTE);
  expect(await work(sqsEvent(...messages), invocation(15 * MINUTE))).toEqual({ batchItemFailures: [] });
  expect(await stores.ledger.getBatch(batchId)).toMatchObject({ state: 'finished', final: { done: 3 } });

  const asked = needs.slice(submitted);
  const actions = new Set(asked.map(({ action, resource }) => `${action} ${resource.split('/')[0] ?? ''}`));
  const { stateBucket, filesBucket } = aws.config;
  expect([...actions]).toEqual(
    expect.arrayContaining([
      `s3:GetObject ${filesBucket}`,
      `s3:PutObject ${filesBucket}`,
      `s3:AbortMultipartUpload ${filesBucket}`,
      `s3:PutObject ${stateBucket}`,
      `s3:DeleteObject ${stateBucket}`,
    ]),
  );
  const template = synthesise({ filesPrefix: aws.config.filesPrefix });
  expectGranted(template, 'worker', asked, aws);
  expectGranted(template, 'api', needs.slice(0, submitted), aws);
});

it('the API may do all that control takes: keys, retries, and deleting what is left; and the planner, to read what failed', async () => {
  const aws = await startAws();
  const { env, needs } = await watched(aws);
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  const stores = createAwsStores({ ...aws.config, queueUrl: env.DOWNBURST_QUEUE_URL ?? '' });
  onTestFinished(() => stores.close());
  const clock = createManualClock();
  const service: PlanningService = {
    ...stores,
    clock,
    random: Math.random,
    limits: { ...LIMITS, maxOpenBatches: 20 },
    announce: () => Promise.resolve(),
    warn: () => undefined,
  };
  const ask = createApiHandler(service, createTestLog().log);
  const act = async (method: string, path: string) => {
    const { statusCode, body } = await ask(httpEvent({ method, path, headers: { 'idempotency-key': path } }));
    expect(statusCode, body).toBeLessThan(300);
    return body === '' ? {} : (JSON.parse(body) as { id: string });
  };

  const id = await submit(service, ['https://a.example/1', 'https://a.example/2', 'https://a.example/3']);
  await act('POST', `/batches/${id}/pause`);
  await act('POST', `/batches/${id}/resume`);
  const failed = [1, 2, 3].map((n) => outcome(n, 'failed'));
  await settle(service, id, 0, failed, { finishedAt: clock.now() });
  await act('POST', `/batches/${id}/cancel`);
  const again = (await act('POST', `/batches/${id}/retry`)) as { id: string };
  const asked = needs.length;
  await createPlannerHandler(service, createTestLog().log)(aws.invocations.shift()?.event);
  const planned = needs.splice(asked);
  expect(await stores.ledger.getBatch(again.id)).toMatchObject({ state: 'running', total: 3 });
  await act('DELETE', `/batches/${id}`);
  await act('POST', `/batches/${again.id}/cancel`);
  await act('DELETE', `/batches/${again.id}`);
  expect(await Array.fromAsync(stores.state.list(''))).toEqual([]);

  const actions = new Set(needs.map(({ action }) => action));
  expect([...actions]).toEqual(expect.arrayContaining(['dynamodb:DeleteItem', 's3:DeleteObject', 's3:GetObject']));
  const own = needs.filter(({ action, prefix }) => !(action === 's3:ListBucket' && prefix === ''));
  const template = synthesise({ filesPrefix: aws.config.filesPrefix });
  expectGranted(template, 'api', own, aws);
  expect(planned.map(({ action }) => action)).toEqual(expect.arrayContaining(['s3:ListBucket', 's3:GetObject']));
  expectGranted(template, 'planner', planned, aws);
});
