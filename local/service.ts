import type { Service } from '../core/batch/service.ts';
import type { FromThread, ThreadSettings } from './messages.ts';
import { limitsFor, type Stores } from './stores.ts';

/**
 * The service as one thread of this host has it, over stores of its own. A closed batch is announced by a notice that is
 * written down, and delivered by the main thread (notifier.ts) in its own time, so that no receiver can hold up a
 * closing.
 *
 * @param tell takes what the main thread has to know
 */
export function createService(
  stores: Stores,
  { workers }: Pick<ThreadSettings, 'workers'>,
  tell: (message: FromThread) => void,
): Stores & Service {
  const { tickets, notices, clock } = stores;
  return {
    ...stores,
    tickets: {
      ...tickets,
      async send(sent) {
        await tickets.send(sent);
        tell({ kind: 'sent' });
      },
    },
    limits: limitsFor(workers),
    announce: (summary) =>
      Promise.try(() => {
        notices?.add(summary.id, JSON.stringify(summary), clock.now());
        tell({ kind: 'closed', summary });
      }),
    warn: (message, details) => tell({ kind: 'warning', message, details }),
  };
}
