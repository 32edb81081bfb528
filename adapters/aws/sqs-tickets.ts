import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SQSServiceException,
  type Message,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { inLanes } from '../../core/model/lanes.ts';
import type { Clock } from '../../core/ports/clock.ts';
import type { Delivery, Ticket, Tickets } from '../../core/ports/tickets.ts';

/** Messages of one call, SQS's limit. */
const CALL_MESSAGES = 10;
/** Calls under way at once for one `send`: a thousand tickets are sent in a second. */
const SENDS_AT_ONCE = 8;
/** How often what SQS did not take out of a call is sent again, and the first pause, which doubles. */
const SEND_TRIES = 5;
const SEND_PAUSE_MS = 100;
/**
 * The longest that a message can be asked to stay hidden: SQS takes 12 hours, counted from when it was received, and
 * whoever received it may have held it for the 15 minutes of a Lambda.
 */
const MAX_VISIBILITY_SECONDS = 12 * 60 * 60 - 15 * 60;

/** What SQS calls a receipt whose message is gone, visible again or received anew. Which one, it says only in words. */
const STALE_RECEIPT = ['MessageNotInflight', 'ReceiptHandleIsInvalid', 'InvalidParameterValue'];

/** A queue of tickets in SQS. */
export function createSqsTickets(client: SQSClient, queueUrl: string, clock: Clock): Tickets {
  /** Sends up to ten tickets; what SQS does not take is sent again. */
  async function sendSome(tickets: readonly Ticket[]): Promise<void> {
    let entries = tickets.map((ticket, at) => ({
      Id: String(at),
      MessageBody: JSON.stringify(bodyOf(ticket)),
      // Fair queues: the backlog of one batch does not keep the others waiting.
      MessageGroupId: ticket.batchId,
    }));
    for (let tries = 1; ; tries++) {
      const { Failed } = await client.send(new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries: entries }));
      const failed = new Set(Failed?.map(({ Id }) => Id));
      entries = entries.filter(({ Id }) => failed.has(Id));
      if (entries.length === 0) return;
      if (tries === SEND_TRIES) {
        throw new Error(`SQS did not take ${entries.length} tickets: ${Failed?.[0]?.Code ?? 'it does not say why'}.`);
      }
      await clock.sleep(SEND_PAUSE_MS * 2 ** (tries - 1));
    }
  }

  return {
    async send(tickets) {
      const calls: Ticket[][] = [];
      for (let at = 0; at < tickets.length; at += CALL_MESSAGES) calls.push(tickets.slice(at, at + CALL_MESSAGES));
      await inLanes(calls, SENDS_AT_ONCE, sendSome);
    },

    async receive(limit, visibilityMs) {
      const { Messages } = await client.send(
        new ReceiveMessageCommand({
          QueueUrl: queueUrl,
          MaxNumberOfMessages: Math.min(limit, CALL_MESSAGES),
          VisibilityTimeout: wholeSeconds(visibilityMs),
          MessageSystemAttributeNames: ['ApproximateReceiveCount'],
        }),
      );
      return (Messages ?? []).map(toDelivery);
    },

    async changeVisibility(receipt, delayMs) {
      await unlessStale(
        client.send(
          new ChangeMessageVisibilityCommand({
            QueueUrl: queueUrl,
            ReceiptHandle: receipt,
            VisibilityTimeout: wholeSeconds(delayMs),
          }),
        ),
      );
    },

    async acknowledge(receipt) {
      await unlessStale(client.send(new DeleteMessageCommand({ QueueUrl: queueUrl, ReceiptHandle: receipt })));
    },

    async hasVisible() {
      const { Attributes } = await client.send(
        new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ['ApproximateNumberOfMessages'] }),
      );
      return Number(Attributes?.ApproximateNumberOfMessages) > 0;
    },
  };
}

/** SQS's seconds; up, so that no ticket comes before its time. */
function wholeSeconds(ms: number): number {
  return Math.min(Math.ceil(ms / 1000), MAX_VISIBILITY_SECONDS);
}

function toDelivery({ Body = '', MessageId = '', ReceiptHandle = '', Attributes }: Message): Delivery {
  return {
    ticket: bodyOf(JSON.parse(Body) as Ticket),
    messageId: MessageId,
    receipt: ReceiptHandle,
    receiveCount: Number(Attributes?.ApproximateReceiveCount),
  };
}

/** What a ticket says, and nothing else. */
function bodyOf({ batchId, shard, helper }: Ticket): Ticket {
  return { batchId, shard, ...(helper !== undefined && { helper }) };
}

async function unlessStale(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof SQSServiceException) || !STALE_RECEIPT.includes(codeOf(error))) throw error;
  }
}

/** SQS's errors go by the names of its first protocol, some of them with its own before theirs. */
function codeOf({ name }: SQSServiceException): string {
  return name.slice(name.lastIndexOf('.') + 1);
}
