import { PutEventsCommand, type EventBridgeClient } from '@aws-sdk/client-eventbridge';
import type { Summary } from '../../core/batch/service.ts';

/** What rules match. */
export const EVENT_SOURCE = 'downburst';
export const BATCH_FINISHED = 'Downburst Batch Finished';

/**
 * Answers how to publish a batch's end on the account's default event bus, its summary as the event's detail. A summary
 * has some KB; EventBridge takes 256.
 *
 * @throws if EventBridge has not taken the event: it says so within an answer that is otherwise a success
 */
export function createEventBus(client: EventBridgeClient): (summary: Summary) => Promise<void> {
  return async (summary) => {
    const entry = {
      Source: EVENT_SOURCE,
      DetailType: BATCH_FINISHED,
      Detail: JSON.stringify(summary),
      Time: new Date(summary.finishedAt),
    };
    const { FailedEntryCount, Entries } = await client.send(new PutEventsCommand({ Entries: [entry] }));
    if (FailedEntryCount === 0) return;
    throw new Error(`EventBridge did not take the event (${Entries?.[0]?.ErrorCode ?? 'no reason given'}).`);
  };
}
