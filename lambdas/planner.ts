// Not `{ z }`, which brings 400 KB of messages in all languages into the bundle.
import * as z from 'zod';
import { startPlanned } from '../core/batch/planning.ts';
import type { Service } from '../core/batch/service.ts';
import { entryPoint } from './environment.ts';

const eventSchema = z.object({ batchId: z.uuid() });

/** Brings a batch whose planning stopped half-way to `running`. The event is `{ batchId }`. */
export function createPlannerHandler(service: Service): (event: unknown) => Promise<void> {
  return async (event) => {
    const { batchId } = eventSchema.parse(event);
    await startPlanned(service, batchId);
  };
}

export const handler = entryPoint(({ service }) => createPlannerHandler(service));
