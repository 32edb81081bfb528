import { expect, onTestFinished, test, vi } from 'vitest';
import { createRetries } from '../../adapters/aws/retries.ts';

type Refusal = Parameters<ReturnType<typeof createRetries>['refreshRetryTokenForRetry']>[1]['errorType'];

/** How many attempts a call gets that fails each time, and how long it pauses in all. */
async function failing(retries: ReturnType<typeof createRetries>, errorType: Refusal) {
  let pausedMs = 0;
  let token = await retries.acquireInitialRetryToken('');
  for (let attempts = 1; ; attempts++) {
    const refreshed = retries.refreshRetryTokenForRetry(token, { errorType }).catch(() => undefined);
    await vi.runAllTimersAsync();
    const next = await refreshed;
    if (!next) return { attempts, pausedMs };
    token = next;
    pausedMs += token.getRetryDelay();
  }
}

function driveTimers(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
}

test('every call has all its attempts, however many calls fail', async () => {
  driveTimers();
  const retries = createRetries(5);
  for (let call = 0; call < 200; call++) expect((await failing(retries, 'THROTTLING')).attempts).toBe(5);
});

test('pauses double from half a second after a refusal, and are a fifth of that after a failure', async () => {
  driveTimers();
  const retries = createRetries(5);
  for (let call = 0; call < 20; call++) {
    expect((await failing(retries, 'THROTTLING')).pausedMs).toBeLessThan(7500);
    expect((await failing(retries, 'TRANSIENT')).pausedMs).toBeLessThan(1500);
  }
});

test('what cannot pass is not tried again', async () => {
  driveTimers();
  expect((await failing(createRetries(5), 'CLIENT_ERROR')).attempts).toBe(1);
});
