import { MIN_PACE, PACE_CUT, PACE_STEP, REGROWTH, REGROWTH_PER_SECOND } from '../model/limits.ts';

/** How fast a shard begins requests at a host: learned from what the host takes and what it refuses. */
export interface Pace {
  /** Requests begun per second; `Infinity` as long as the host has refused none. */
  readonly perSecond: number;
  /** Requests that the host took since it last refused one, or since it was first asked. */
  readonly taken: number;
  /** When the first of them began, in milliseconds since the epoch. */
  readonly since: number;
}

export function createPace(now: number, perSecond = Infinity): Pace {
  return { perSecond, taken: 0, since: now };
}

/** The pace once a request has begun while none other is under way. */
export function begun(pace: Pace, now: number): Pace {
  return pace.taken === 0 ? { ...pace, since: now } : pace;
}

/**
 * The pace once the host took a request. It grows by so little that the host's limit is met again only after many
 * requests and some seconds, whatever the limit is; and no further than to twice of what is made use of.
 */
export function taken({ perSecond, taken, since }: Pace, now: number): Pace {
  // A shard that has much less than the others catches up by the step.
  const growth = PACE_STEP + Math.min(REGROWTH * perSecond, REGROWTH_PER_SECOND);
  const isUsed = perSecond <= 2 * rate(taken + 1, now - since);
  return { perSecond: isUsed ? perSecond + growth : perSecond, taken: taken + 1, since };
}

/**
 * The pace once the host refused a request, after one that it took: what was too fast, less a part. The first time
 * that is what the host took until then.
 */
export function refused({ perSecond, taken, since }: Pace, now: number): Pace {
  // Of a host that has taken nothing yet nothing can be learned; the park that follows is enough.
  if (perSecond === Infinity && taken === 0) return createPace(now);
  const tooFast = perSecond === Infinity ? rate(taken, now - since) : perSecond;
  return createPace(now, Math.max(MIN_PACE, PACE_CUT * tooFast));
}

/** So many a second, over a second at least: many hosts take a burst that they will not take again. */
function rate(count: number, ms: number): number {
  return count / Math.max(1, ms / 1000);
}
