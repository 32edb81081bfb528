import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { handler as api } from '../../../lambdas/api.ts';
import { entryPoint } from '../../../lambdas/environment.ts';
import { handler as planner } from '../../../lambdas/planner.ts';
import { handler as status } from '../../../lambdas/status.ts';
import { handler as sweeper } from '../../../lambdas/sweeper.ts';
import { handler as worker } from '../../../lambdas/worker.ts';
import { httpEvent, invocation, scheduledEvent, sqsEvent } from '../../helpers/lambda-events.ts';
import { linesOf, outputOf } from '../../helpers/log.ts';

const health = httpEvent({ path: '/health' });
const context = invocation(60_000);

const invoke: Record<string, () => Promise<unknown>> = {
  api: () => api(health, context),
  planner: () => planner({ batchId: '01890a5d-ac96-774b-bcce-b302099a8057' }, context),
  status: () => status(health, context),
  sweeper: () => sweeper(scheduledEvent(), context),
  worker: () => worker(sqsEvent(), context),
};

function setEnvironment(variables: Record<string, string>): void {
  const unset = Object.keys(process.env).filter((name) => name.startsWith('DOWNBURST_'));
  for (const name of unset) vi.stubEnv(name, undefined);
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  onTestFinished(() => void vi.unstubAllEnvs());
}

// Importing this file has imported them all, without any of their settings.
describe.each(Object.keys(invoke))('the function %s', (name) => {
  it('says at every invocation which settings it misses', async () => {
    setEnvironment({ DOWNBURST_FILES_BUCKET: 'files' });
    for (let i = 0; i < 2; i++) {
      await expect(invoke[name]).rejects.toThrow(
        /DOWNBURST_TABLE is missing.*DOWNBURST_STATE_BUCKET is missing.*DOWNBURST_QUEUE_URL is missing/,
      );
    }
  });
});

const SETTINGS = {
  AWS_REGION: 'eu-central-1',
  DOWNBURST_TABLE: 'table',
  DOWNBURST_STATE_BUCKET: 'state',
  DOWNBURST_FILES_BUCKET: 'files',
  DOWNBURST_QUEUE_URL: 'https://sqs.example/1/tickets',
};

it('a function reads its settings once', async () => {
  setEnvironment(SETTINGS);
  expect(await status(health, context)).toMatchObject({ statusCode: 200 });
  vi.unstubAllEnvs();
  expect(await status(health, context)).toMatchObject({ statusCode: 200 });
});

it('an invocation that fails is told to the log, with its id and the cause, and to Lambda without what clients hang on errors', async () => {
  setEnvironment(SETTINGS);
  const request = { headers: { authorization: 's3cr3t' } };
  const failing = entryPoint(({ meter }) => () => {
    meter.record('ClosedBatches', 1);
    return Promise.reject(Object.assign(new TypeError('no', { cause: new Error('why') }), { request }));
  });
  let thrown: unknown;
  const output = await outputOf(() => failing(undefined, context).catch((error: unknown) => (thrown = error)));
  expect(thrown).toMatchObject({
    name: 'TypeError',
    message: 'no',
    stack: expect.stringContaining('TypeError: no') as string,
  });
  expect(thrown).not.toHaveProperty('request');
  expect(output).not.toContain('s3cr3t');
  const [line, metrics] = linesOf(output);
  expect(line).toMatchObject({ level: 'ERROR', function_request_id: context.awsRequestId });
  expect(line?.error).toMatch(/^TypeError: no[^]+caused by Error: why/);
  expect(metrics).toMatchObject({ ClosedBatches: 1, deployment: 'Downburst' });
});
