import { setImmediate } from 'node:timers/promises';
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createSqsTickets } from '../../adapters/aws/sqs-tickets.ts';
import { createWire } from './aws-wire.ts';
import { QUEUE_VISIBILITY_MS, startAws } from './aws.ts';
import { createEventSource, type EventSourceOptions } from './event-source.ts';
import { createManualClock } from './manual-clock.ts';

const DONE: SQSBatchResponse = { batchItemFailures: [] };

type Options = Partial<EventSourceOptions> & Pick<EventSourceOptions, 'invoke'>;

async function startSource(options: Options) {
  const clock = createManualClock();
  const now = vi.spyOn(Date, 'now').mockImplementation(() => clock.now());
  onTestFinished(() => now.mockRestore());
  const aws = await startAws();
  const wire = createWire();
  wire.attach(aws.clients);
  const tickets = createSqsTickets(aws.clients.sqs, aws.config.queueUrl, clock);
  const errors: unknown[] = [];
  const onError = (error: unknown) => void errors.push(error);
  const timeoutMs = QUEUE_VISIBILITY_MS;
  const source = createEventSource({ aws, clock, maxConcurrency: 10, timeoutMs, onError, ...options });
  /** Lets everything happen that can happen now. */
  async function settle(): Promise<void> {
    await source.poll();
    for (let quiet = 0; quiet < 20; quiet = source.isBusy || wire.underWay > 0 ? 0 : quiet + 1) await setImmediate();
  }
  return { aws, clock, tickets, source, errors, settle };
}

const failed = ({ Records }: SQSEvent): SQSBatchResponse => ({
  batchItemFailures: Records.map(({ messageId }) => ({ itemIdentifier: messageId })),
});

test('each message is an event of its own, deleted when its invocation does not report it as failed', async () => {
  const events: SQSEvent[] = [];
  const { aws, tickets, settle } = await startSource({
    invoke: (event) => {
      events.push(event);
      return Promise.resolve(DONE);
    },
  });
  await tickets.send([0, 1, 2].map((shard) => ({ batchId: 'b', shard })));
  await settle();
  expect(events.map(({ Records }) => Records.map(({ body }) => (JSON.parse(body) as { shard: number }).shard))).toEqual(
    [[0], [1], [2]],
  );
  expect(await aws.inspectQueue()).toMatchObject({ ready: [], inflight: [] });
});

test('a message that is reported as failed comes again when its visibility ends', async () => {
  const receives: string[] = [];
  const { clock, tickets, settle } = await startSource({
    invoke: async (event) => {
      const [record] = event.Records;
      receives.push(record?.attributes.ApproximateReceiveCount ?? '');
      await tickets.changeVisibility(record?.receiptHandle ?? '', 60_000);
      return receives.length < 2 ? failed(event) : DONE;
    },
  });
  await tickets.send([{ batchId: 'b', shard: 0 }]);
  await settle();
  await clock.advance(59_999);
  await settle();
  expect(receives).toEqual(['1']);
  await clock.advance(1);
  await settle();
  expect(receives).toEqual(['1', '2']);
});

test('a message whose invocation failed comes again after the time of the queue', async () => {
  let invocations = 0;
  const { clock, tickets, errors, settle } = await startSource({
    invoke: () => Promise.reject(new Error(`invocation ${++invocations}`)),
  });
  await tickets.send([{ batchId: 'b', shard: 0 }]);
  await settle();
  await clock.advance(QUEUE_VISIBILITY_MS - 1);
  await settle();
  expect(errors).toHaveLength(1);
  await clock.advance(1);
  await settle();
  expect(errors).toHaveLength(2);
});

test('no more invocations run at once than are allowed, and a place that becomes free is taken', async () => {
  const ends: (() => void)[] = [];
  const { tickets, source, settle } = await startSource({
    maxConcurrency: 2,
    invoke: () => new Promise((resolve) => ends.push(() => resolve(DONE))),
  });
  await tickets.send([0, 1, 2].map((shard) => ({ batchId: 'b', shard })));
  await settle();
  expect([source.invocations, ends.length]).toEqual([2, 2]);
  ends[0]?.();
  await settle();
  expect([source.invocations, ends.length]).toEqual([2, 3]);
});

test.each(['same', 'anew'] as const)('a message is delivered twice on demand, to two invocations (%s)', async (how) => {
  const records: SQSEvent['Records'] = [];
  const ends: (() => void)[] = [];
  const { tickets, aws, settle } = await startSource({
    again: () => how,
    invoke: ({ Records }) => {
      records.push(...Records);
      return new Promise((resolve) => ends.push(() => resolve(DONE)));
    },
  });
  await tickets.send([{ batchId: 'b', shard: 0 }]);
  await settle();
  expect(records).toHaveLength(2);
  expect(new Set(records.map(({ messageId }) => messageId)).size).toBe(1);
  expect(new Set(records.map(({ receiptHandle }) => receiptHandle)).size).toBe(how === 'same' ? 1 : 2);
  for (const end of ends) end();
  await settle();
  expect(await aws.inspectQueue()).toMatchObject({ ready: [], inflight: [] });
});

test('an invocation knows its time, and is an error when it outlives it', async () => {
  let left: (() => number) | undefined;
  const { clock, tickets, errors, settle } = await startSource({
    timeoutMs: 60_000,
    invoke: (_event, context) => {
      left = () => context.getRemainingTimeInMillis();
      return new Promise(() => undefined);
    },
  });
  await tickets.send([{ batchId: 'b', shard: 0 }]);
  await settle();
  await clock.advance(10_000);
  expect(left?.()).toBe(50_000);
  await clock.advance(50_000);
  await settle();
  expect(errors).toMatchObject([{ message: 'An invocation outlived its time limit.' }]);
});
