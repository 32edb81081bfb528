import { describe, expect, test } from 'vitest';
import { createTimeLimits } from '../../../core/download/time-limits.ts';
import { createManualClock } from '../../helpers/manual-clock.ts';

function setUp() {
  const clock = createManualClock();
  const begin = createTimeLimits(clock);
  const start = clock.now();
  const expired: [string, number][] = [];
  const note = (name: string) => () => void expired.push([name, clock.now() - start]);
  return { clock, begin, expired, note };
}

describe('time limits', () => {
  test('expire in their order, each at its time, on one sleep', async () => {
    const { clock, begin, expired, note } = setUp();
    for (const [name, ms] of [
      ['b', 200],
      ['a', 100],
      ['c', 300],
    ] as const) {
      begin().set(ms, note(name));
    }
    expect(clock.pending()).toBe(1);
    await clock.advance(1000);
    expect(expired).toEqual([
      ['a', 100],
      ['b', 200],
      ['c', 300],
    ]);
    expect(clock.pending()).toBe(0);
  });

  test('a limit that is set again stands anew, later or sooner', async () => {
    const { clock, begin, expired, note } = setUp();
    using limit = begin();
    limit.set(100, note('first'));
    await clock.advance(60);
    limit.set(100, note('later'));
    await clock.advance(99);
    expect(expired).toEqual([]);
    limit.set(5000, note('much later'));
    limit.set(10, note('sooner'));
    await clock.advance(10_000);
    expect(expired).toEqual([['sooner', 169]]);
  });

  test('a lifted limit does not expire, and the next one does', async () => {
    const { clock, begin, expired, note } = setUp();
    using limit = begin();
    limit.set(100, note('lifted'));
    limit.lift();
    await clock.advance(1000);
    expect(clock.pending()).toBe(0);
    limit.set(100, note('next'));
    await clock.advance(1000);
    expect(expired).toEqual([['next', 1100]]);
  });

  test('nobody sleeps once every limit is disposed of, and a new one begins as the first did', async () => {
    const { clock, begin, expired, note } = setUp();
    const limits = [begin(), begin()];
    for (const limit of limits) limit.set(100, note('disposed'));
    limits[0]?.[Symbol.dispose]();
    expect(clock.pending()).toBe(1);
    limits[1]?.[Symbol.dispose]();
    expect(clock.pending()).toBe(0);
    using next = begin();
    next.set(100, note('next'));
    await clock.advance(1000);
    expect(expired).toEqual([['next', 100]]);
  });
});
