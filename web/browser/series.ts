/** Speeds of a batch at one moment, in milliseconds since the epoch. */
export interface Point {
  at: number;
  filesPerSecond: number;
  bytesPerSecond: number;
}

/** Points of one chart: more than a small chart can show. */
const MAX_POINTS = 360;

/**
 * Adds a point to a series of bounded length: where there is no room, the point goes whose neighbours are the closest, so
 * that a series always reaches from its beginning to now, in about even steps.
 */
export function addPoint(series: readonly Point[], point: Point, maxPoints = MAX_POINTS): readonly Point[] {
  const longer = [...series, point];
  return longer.length <= maxPoints ? longer : longer.toSpliced(mostCrowded(longer), 1);
}

/** The place of the point whose neighbours are the closest in time; the first and the last stay. */
function mostCrowded(series: readonly Point[]): number {
  const gap = (n: number) => (series[n + 1]?.at ?? Infinity) - (series[n - 1]?.at ?? -Infinity);
  let best = 1;
  for (let n = 2; n < series.length - 1; n++) if (gap(n) < gap(best)) best = n;
  return best;
}
