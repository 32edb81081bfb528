import type { PlanningService } from '../core/batch/service.ts';
import { sweep } from '../core/batch/sweep.ts';
import { entryPoint } from './environment.ts';

/**
 * Looks after the open batches, on a schedule; the event says nothing. What it finds is measured at every run, so that
 * there is no alarm without data. Throws if any batch could not be looked after, once it has looked after the others.
 */
export function createSweeperHandler(service: PlanningService): () => Promise<void> {
  return async () => {
    const { lostTickets, silentBatches, failures } = await sweep(service);
    service.meter?.('SweeperTickets', lostTickets);
    service.meter?.('SilentBatches', silentBatches);
    if (failures > 0) throw new Error(`${failures} open batches could not be looked after; the log says why.`);
  };
}

export const handler = entryPoint(({ service }) => createSweeperHandler(service));
