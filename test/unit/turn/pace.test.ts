import { expect, test } from 'vitest';
import { begun, createPace, refused, taken, type Pace } from '../../../core/turn/pace.ts';

const START = 1_000_000;

/** A pace after `count` requests that were taken, evenly over `ms`. */
function after(pace: Pace, count: number, ms: number): Pace {
  for (let i = 1; i <= count; i++) pace = taken(pace, START + (ms * i) / count);
  return pace;
}

test('a host that refuses nothing has no pace', () => {
  expect(after(createPace(START), 1000, 1000).perSecond).toBe(Infinity);
});

test('the first refusal makes a pace of what the host took until then', () => {
  expect(refused(after(createPace(START), 40, 4000), START + 4000).perSecond).toBeCloseTo(7);
});

test('a burst that is taken at once is no rate', () => {
  expect(refused(after(createPace(START), 10, 100), START + 100).perSecond).toBeCloseTo(7);
});

test('time in which nothing was asked does not count', () => {
  const pace = begun(createPace(START - 60_000), START);
  expect(refused(after(pace, 40, 4000), START + 4000).perSecond).toBeCloseTo(7);
});

test('a later refusal takes the same part of the pace, whatever was taken since', () => {
  expect(refused(createPace(START, 10), START).perSecond).toBeCloseTo(7);
  expect(refused(after(createPace(START, 10), 1, 5000), START + 5000).perSecond).toBeCloseTo(7, 0);
});

test.each([
  { limit: 0.25, atLeast: 5, atMost: 10 },
  { limit: 1, atLeast: 10, atMost: 20 },
  { limit: 10, atLeast: 40, atMost: 80 },
  { limit: 1000, atLeast: 5000, atMost: 8000 },
])('a host that takes $limit a second is asked too much once in many requests', ({ limit, atLeast, atMost }) => {
  let pace = createPace(START, 0.7 * limit);
  let requests = 0;
  for (let now = START; pace.perSecond < limit; requests++) pace = taken(pace, (now += 1000 / pace.perSecond));
  expect(requests).toBeGreaterThanOrEqual(atLeast);
  expect(requests).toBeLessThanOrEqual(atMost);
});

test('a pace of which no use is made does not grow beyond twice of what is', () => {
  expect(after(createPace(START, 10), 1000, 1_000_000).perSecond).toBeLessThan(11);
});

test('no pace is slower than one request a minute', () => {
  let pace = createPace(START, 1);
  for (let i = 0; i < 50; i++) pace = refused(pace, START);
  expect(pace.perSecond).toBeCloseTo(1 / 60);
});
