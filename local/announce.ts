import type { Service, Summary } from '../core/batch/service.ts';
import type { Stores } from './stores.ts';

/**
 * How this host announces a closed batch: a notice is written down for who waits for it, and delivered by the main thread
 * (notifier.ts) in its own time, so that no receiver can hold up a closing.
 */
export function createAnnounce(
  { notices, clock }: Pick<Stores, 'notices' | 'clock'>,
  notify: boolean,
  closed: (summary: Summary) => void,
): Service['announce'] {
  return (summary) =>
    Promise.try(() => {
      if (notify) notices.add(summary.id, JSON.stringify(summary), clock.now());
      closed(summary);
    });
}
