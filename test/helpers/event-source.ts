import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  ReceiveMessageCommand,
  type Message,
} from '@aws-sdk/client-sqs';
import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda';
import type { Clock } from '../../core/ports/clock.ts';
import type { Aws } from './aws.ts';
import { invocation, sqsEvent } from './lambda-events.ts';

/** Messages of one receive, SQS's limit. */
const MAX_MESSAGES = 10;

export interface EventSourceOptions {
  aws: Pick<Aws, 'clients' | 'config'>;
  /** Runs one invocation; rejects if it throws or its instance dies. */
  invoke: (event: SQSEvent, context: Pick<Context, 'getRemainingTimeInMillis'>) => Promise<SQSBatchResponse>;
  clock: Clock;
  /** Invocations at once. */
  maxConcurrency: number;
  /** The function's time limit. */
  timeoutMs: number;
  /**
   * Whether a message that was received for the first time is delivered once more, and how: the very record again, or
   * received anew at once. Never if left out.
   */
  again?: (message: Message) => 'same' | 'anew' | undefined;
  /** Told of invocations that failed; they are otherwise nobody's business. */
  onError: (error: unknown) => void;
}

export interface EventSource {
  /** Begins as many invocations as there are visible messages and free places; later ones are begun when one ends. */
  poll: () => Promise<void>;
  /** Whether messages are being received or given back, so that an invocation may be about to begin. */
  readonly isBusy: boolean;
  /** Invocations that are under way. */
  readonly invocations: number;
}

/**
 * Lambda's event source mapping for a queue, with a batch size of 1 and ReportBatchItemFailures, over the real protocol
 * of SQS.
 *
 * It keeps these rules of the real one. A message is received with the queue's own visibility. One that is not reported
 * as failed is deleted, also if nothing is answered at all; one that is, or whose invocation threw, stays, and comes
 * again when the visibility ends that it then has. No more invocations than `maxConcurrency` run at once, and each knows
 * how much time is left. A message can be delivered twice, to two invocations at the same time.
 *
 * It does not keep these. It scales up at once and never slows down after errors; it waits for nothing, but looks when
 * it is told to; it ends no invocation at its time limit, but calls one that outlives it an error.
 */
export function createEventSource(options: EventSourceOptions): EventSource {
  const { aws, invoke, clock, maxConcurrency, timeoutMs, onError } = options;
  const { sqs } = aws.clients;
  const QueueUrl = aws.config.queueUrl;
  /** To be begun when there is a place. */
  const waiting: Message[] = [];
  const doubled = new Set<string>();
  let invocations = 0;
  let calls = 0;
  let polling: Promise<void> | undefined;
  let pollAgain = false;

  async function underWay<T>(call: Promise<T>): Promise<T> {
    calls += 1;
    try {
      return await call;
    } finally {
      calls -= 1;
    }
  }

  async function run(message: Message): Promise<void> {
    const { Body = '', MessageId = '', ReceiptHandle = '', Attributes } = message;
    const receiveCount = Number(Attributes?.ApproximateReceiveCount);
    const event = sqsEvent({ body: Body, messageId: MessageId, receiptHandle: ReceiptHandle, receiveCount });
    const deadline = clock.now() + timeoutMs;
    const context = { ...invocation(0), getRemainingTimeInMillis: () => deadline - clock.now() };
    const ended = new AbortController();
    const tooLong = clock.sleep(timeoutMs, ended.signal).then(() => {
      throw new Error('An invocation outlived its time limit.');
    });
    try {
      const answer = await Promise.race([invoke(event, context), tooLong]);
      if (isDone(answer)) await underWay(sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle })));
    } catch (error) {
      onError(error);
    } finally {
      ended.abort();
      await tooLong.catch(() => undefined);
    }
  }

  function begin(): void {
    while (invocations < maxConcurrency) {
      const message = waiting.shift();
      if (!message) return;
      invocations += 1;
      void run(message).finally(() => {
        invocations -= 1;
        void poll();
      });
    }
  }

  async function receive(): Promise<void> {
    for (;;) {
      begin();
      const places = maxConcurrency - invocations;
      if (places === 0) return;
      const { Messages = [] } = await sqs.send(
        new ReceiveMessageCommand({
          QueueUrl,
          MaxNumberOfMessages: Math.min(places, MAX_MESSAGES),
          MessageSystemAttributeNames: ['All'],
        }),
      );
      if (Messages.length === 0) return;
      for (const message of Messages) {
        waiting.push(message);
        await deliverAgain(message);
      }
    }
  }

  async function deliverAgain(message: Message): Promise<void> {
    const { MessageId = '', ReceiptHandle } = message;
    if (doubled.has(MessageId)) return;
    doubled.add(MessageId);
    const how = options.again?.(message);
    if (how === 'same') waiting.push(message);
    if (how === 'anew') {
      await sqs.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 0 }));
    }
  }

  async function poll(): Promise<void> {
    // Whoever asks while a look is under way gets another one after it: what became visible meanwhile is not missed.
    pollAgain = true;
    while (pollAgain && !polling) {
      pollAgain = false;
      polling = receive().finally(() => (polling = undefined));
      await polling;
    }
  }

  return {
    poll,
    get isBusy() {
      return calls > 0 || polling !== undefined;
    },
    get invocations() {
      return invocations;
    },
  };
}

/** Whether an answer says that the message is done with: whatever else it names, the event has but this one. */
function isDone(answer: unknown): boolean {
  const { batchItemFailures } = (answer ?? {}) as Partial<SQSBatchResponse>;
  return (batchItemFailures ?? []).length === 0;
}
