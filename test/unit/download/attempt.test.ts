import { expect, test } from 'vitest';
import { beginAttempt } from '../../../core/download/attempt.ts';
import { createTimeLimits } from '../../../core/download/time-limits.ts';
import { createManualClock } from '../../helpers/manual-clock.ts';

test('an attempt that is begun too late has ended', () => {
  const reason = new Error('The lease is lost.');
  using attempt = beginAttempt(AbortSignal.abort(reason), createTimeLimits(createManualClock())());
  expect(attempt.signal.reason).toBe(reason);
});

test('an attempt that ends early cuts short what it has under way', () => {
  const caller = new AbortController();
  using attempt = beginAttempt(caller.signal, createTimeLimits(createManualClock())());
  let cuts = 0;
  attempt.cutBy(() => (cuts += 1));
  caller.abort(new Error('The worker stops.'));
  expect(cuts).toBe(1);
});
