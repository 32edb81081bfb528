import { expect, test } from 'vitest';
import { systemClock } from '../../adapters/system-clock.ts';
import { startProcess } from './fixtures/run.ts';

test('a sleep ends, also one of no time', async () => {
  await systemClock.sleep(1, new AbortController().signal);
  await systemClock.sleep(0);
});

test('an aborted sleep rejects with the reason of its signal', async () => {
  const reason = new Error('lease lost');
  const controller = new AbortController();
  const sleeping = systemClock.sleep(3_600_000, controller.signal);
  controller.abort(reason);
  await expect(sleeping).rejects.toBe(reason);
  await expect(systemClock.sleep(0, controller.signal)).rejects.toBe(reason);
});

test('a process lives as long as it sleeps, and no longer once the sleep is aborted', async () => {
  const child = startProcess('sleep-and-abort.ts');
  expect((await Array.fromAsync(child.stdout)).join('')).toBe('slept\naborted\n');
});
