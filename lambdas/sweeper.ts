import type { PlanningService } from '../core/batch/service.ts';
import { sweep } from '../core/batch/sweep.ts';
import { entryPoint } from './environment.ts';

/** Looks after the open batches, on a schedule; the event says nothing. */
export function createSweeperHandler(service: PlanningService): () => Promise<void> {
  return () => sweep(service);
}

export const handler = entryPoint(({ service }) => createSweeperHandler(service));
