// Not `{ z }`, which brings 400 KB of messages in all languages into the bundle.
import * as z from 'zod';
import { planList } from '../core/batch/plan-list.ts';
import type { Service } from '../core/batch/service.ts';
import { entryPoint } from './environment.ts';
import type { Log } from './log.ts';

const eventSchema = z.object({ batchId: z.uuid() });

/** Plans a batch's uploaded list, from where an earlier planner stopped. The event is `{ batchId }`. */
export function createPlannerHandler(service: Service, log: Log): (event: unknown) => Promise<void> {
  return async (event) => {
    const { batchId } = eventSchema.parse(event);
    await log.within({ batchId }, () => planList(service, batchId));
  };
}

export const handler = entryPoint(({ service, log }) => createPlannerHandler(service, log));
