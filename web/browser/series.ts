/** Speeds of a batch at one moment, in milliseconds since the epoch. */
export interface Point {
  at: number;
  filesPerSecond: number;
  bytesPerSecond: number;
}

/** Points of one chart: more than a small chart can show. */
const MAX_POINTS = 360;

/**
 * Adds a point to a series of bounded length: where there is no room, every two neighbours become one, so that a series
 * always reaches from its beginning to now, finely at first and coarsely after days.
 */
export function addPoint(series: readonly Point[], point: Point, maxPoints = MAX_POINTS): readonly Point[] {
  return [...(series.length < maxPoints ? series : halve(series)), point];
}

function halve(series: readonly Point[]): Point[] {
  const pairs = Array.from({ length: Math.ceil(series.length / 2) }, (_, n) => series.slice(2 * n, 2 * n + 2));
  return pairs.map((pair) => ({
    at: mean(pair, 'at'),
    filesPerSecond: mean(pair, 'filesPerSecond'),
    bytesPerSecond: mean(pair, 'bytesPerSecond'),
  }));
}

function mean(points: readonly Point[], field: keyof Point): number {
  return points.reduce((sum, point) => sum + point[field], 0) / points.length;
}
