import { expect, test } from 'vitest';
import { createManualClock } from './manual-clock.ts';

test('time stands still until it is moved, and never goes back', async () => {
  const clock = createManualClock(1000);
  expect(clock.now()).toBe(1000);
  await clock.advance(5);
  await clock.advanceTo(1010);
  expect(clock.now()).toBe(1010);
  await expect(clock.advanceTo(1009)).rejects.toThrow(RangeError);
});

test('sleepers wake in the order of their due times, each at its own', async () => {
  const clock = createManualClock(0);
  const woken: string[] = [];
  const sleep = async (name: string, ms: number) => {
    await clock.sleep(ms);
    woken.push(`${name} at ${clock.now()}`);
  };
  const all = [sleep('c', 30), sleep('a', 10), sleep('b1', 20), sleep('b2', 20), sleep('late', 31)];
  expect(clock.pending()).toBe(5);
  expect(clock.nextDue()).toBe(10);
  await clock.advance(30);
  expect(woken).toEqual(['a at 10', 'b1 at 20', 'b2 at 20', 'c at 30']);
  expect(clock.nextDue()).toBe(31);
  await clock.advance(1);
  await Promise.all(all);
  expect(clock.pending()).toBe(0);
  expect(clock.nextDue()).toBeUndefined();
});

test('who sleeps again on waking is woken again within the same advance', async () => {
  const clock = createManualClock(0);
  const beats: number[] = [];
  const stop = new AbortController();
  const heart = (async () => {
    for (;;) {
      await clock.sleep(10, stop.signal);
      beats.push(clock.now());
    }
  })();
  await clock.advance(35);
  expect(beats).toEqual([10, 20, 30]);
  stop.abort(new Error('enough'));
  await expect(heart).rejects.toThrow('enough');
});

test('an aborted sleeper is gone, and rejects with the reason of its signal', async () => {
  const clock = createManualClock();
  const controller = new AbortController();
  const reason = new Error('lease lost');
  const sleeping = expect(clock.sleep(10, controller.signal)).rejects.toBe(reason);
  controller.abort(reason);
  expect(clock.pending()).toBe(0);
  await sleeping;
  await expect(clock.sleep(10, controller.signal)).rejects.toBe(reason);
  await clock.advance(10);
  expect(clock.pending()).toBe(0);
});

test('a sleep of no time is over at once', async () => {
  const clock = createManualClock();
  await clock.sleep(0);
  await clock.sleep(-5);
  expect(clock.pending()).toBe(0);
});
