import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { inLanes } from '../../../core/model/lanes.ts';

it('runs an effect for every item, so many at a time', async () => {
  const done: number[] = [];
  let underWay = 0;
  let most = 0;
  await inLanes(
    Array.from({ length: 50 }, (_, n) => n),
    4,
    async (n) => {
      most = Math.max(most, ++underWay);
      await setImmediate();
      underWay -= 1;
      done.push(n);
    },
  );
  expect(done.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, n) => n));
  expect(most).toBe(4);
});

it('after an error begins no more, and throws it once nothing is under way', async () => {
  const begun: number[] = [];
  let underWay = 0;
  const run = inLanes([0, 1, 2, 3, 4, 5, 6, 7], 3, async (n) => {
    begun.push(n);
    underWay += 1;
    if (n === 1) {
      underWay -= 1;
      throw new Error('broken');
    }
    await setImmediate();
    underWay -= 1;
  });
  await expect(run).rejects.toThrow('broken');
  expect(underWay).toBe(0);
  expect(begun).toEqual([0, 1, 2]);
});

it('does nothing for no items', async () => {
  await inLanes([], 3, () => Promise.reject(new Error('not called')));
});

it('takes items as they come, and tells when no more can', async () => {
  async function* items() {
    for (const n of [1, 2, 3, 4, 5]) {
      await setImmediate();
      yield n;
    }
    throw new Error('the list broke off');
  }
  const done: number[] = [];
  const run = inLanes(items(), 2, (n) => Promise.resolve(done.push(n)));
  await expect(run).rejects.toThrow('the list broke off');
  expect(done).toEqual([1, 2, 3, 4, 5]);
});
