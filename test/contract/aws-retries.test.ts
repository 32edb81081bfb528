import { HeadObjectCommand } from '@aws-sdk/client-s3';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createClients, type AwsClients } from '../../adapters/aws/clients.ts';
import { createRetries } from '../../adapters/aws/retries.ts';
import { createWire, SLOW_DOWN } from '../helpers/aws-wire.ts';

type Refusal = Parameters<ReturnType<typeof createRetries>['refreshRetryTokenForRetry']>[1]['errorType'];

/** How many attempts a call gets that fails each time, and how long it pauses in all. */
async function failing(retries: ReturnType<typeof createRetries>, errorType: Refusal) {
  let pausedMs = 0;
  let token = await retries.acquireInitialRetryToken('');
  for (let attempts = 1; ; attempts++) {
    const next = await retries.refreshRetryTokenForRetry(token, { errorType }).catch(() => undefined);
    if (!next) return { attempts, pausedMs };
    token = next;
    pausedMs += token.getRetryDelay();
  }
}

test('every call has all its attempts, however many calls fail', async () => {
  const retries = createRetries(5);
  for (let call = 0; call < 200; call++) expect((await failing(retries, 'THROTTLING')).attempts).toBe(5);
});

test('pauses double from half a second after a refusal, and are a fifth of that after a failure', async () => {
  const retries = createRetries(5);
  for (let call = 0; call < 20; call++) {
    expect((await failing(retries, 'THROTTLING')).pausedMs).toBeLessThan(7500);
    expect((await failing(retries, 'TRANSIENT')).pausedMs).toBeLessThan(1500);
  }
});

test('what cannot pass is not tried again', async () => {
  expect((await failing(createRetries(5), 'CLIENT_ERROR')).attempts).toBe(1);
});

const calls = {
  'the SDK': ({ s3 }: AwsClients) => s3.send(new HeadObjectCommand({ Bucket: 'bucket', Key: 'k' })),
  'a PUT': ({ puts }: AwsClients) =>
    puts.send({ Bucket: 'bucket', Key: 'k', Body: Buffer.alloc(0), ChecksumCRC32: 'AAAAAA==' }),
};

test.each(Object.entries(calls))('%s sits each pause out once', async (_name, call) => {
  vi.stubEnv('AWS_REGION', 'eu-central-1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
  const wire = createWire();
  const clients = wire.attach(createClients());
  onTestFinished(() => {
    clients.s3.destroy();
    vi.useRealTimers();
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
  });
  wire.fault = () => SLOW_DOWN;
  const begun = Date.now();
  let failed: unknown;
  call(clients).catch((error: unknown) => (failed = error));
  while (failed === undefined) {
    await new Promise((resolve) => setImmediate(resolve));
    await vi.advanceTimersToNextTimerAsync();
  }
  expect(wire.calls[0]?.attempts).toHaveLength(5);
  expect(Date.now() - begun).toBe((500 + 1000 + 2000 + 4000) / 2);
});
