import { expect, test } from 'vitest';
import { addPoint, type Point } from '../../../web/browser/series.ts';

test('a series has a bounded length, and reaches from its beginning to now in about even steps', () => {
  let series: readonly Point[] = [];
  for (let at = 0; at < 5000; at++) {
    series = addPoint(series, { at, filesPerSecond: at, bytesPerSecond: 0 }, 64);
    expect(series.length).toBeLessThanOrEqual(64);
  }
  expect([series[0]?.at, series.at(-1)?.at]).toEqual([0, 4999]);
  const steps = series.slice(1).map((point, n) => point.at - (series[n]?.at ?? 0));
  expect(Math.max(...steps)).toBeLessThanOrEqual((4 * 5000) / 64);
  expect(series.every(({ at, filesPerSecond }) => at === filesPerSecond)).toBe(true);
});

test('the points of a short series are those that came', () => {
  const points = [1, 2, 3].map((at) => ({ at, filesPerSecond: at, bytesPerSecond: 0 }));
  expect(points.reduce<readonly Point[]>((series, point) => addPoint(series, point), [])).toEqual(points);
});
