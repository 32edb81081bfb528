import { expect, test } from 'vitest';
import { createFreeParts } from '../../../core/download/free-parts.ts';

const takeAll = (parts: ReturnType<typeof createFreeParts>) => {
  const all: number[] = [];
  for (let number = parts.shift(); number !== undefined; number = parts.shift()) all.push(number);
  return all;
};

test('a slice is the end of the longest run, and no longer than that', () => {
  const parts = createFreeParts([1, 2, 5, 6, 7, 9]);
  expect(parts.take(2)).toEqual({ first: 6, last: 7 });
  expect(parts.take(9)).toEqual({ first: 1, last: 2 });
  expect(takeAll(parts)).toEqual([5, 9]);
  expect(parts.take(1)).toBeUndefined();
});

test('what is given back is in its order again, and what others have is left to them', () => {
  const parts = createFreeParts([2, 3, 4, 5, 8]);
  parts.leave({ first: 4, last: 6 });
  parts.leave({ first: 9, last: 12 });
  for (const number of [7, 1, 9]) parts.add(number);
  expect([parts.count, parts.first, parts.pop()]).toEqual([6, 1, 9]);
  expect(takeAll(parts)).toEqual([1, 2, 3, 7, 8]);
});
