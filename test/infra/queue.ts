import { ReceiveMessageCommand } from '@aws-sdk/client-sqs';
import type { Aws } from '../helpers/aws.ts';
import type { QueueMessage } from '../helpers/lambda-events.ts';

/** Takes up to ten tickets out of the queue, as the worker's event source does. */
export async function receive({ clients, config }: Aws): Promise<QueueMessage[]> {
  const { Messages = [] } = await clients.sqs.send(
    new ReceiveMessageCommand({
      QueueUrl: config.queueUrl,
      MaxNumberOfMessages: 10,
      MessageSystemAttributeNames: ['ApproximateReceiveCount'],
    }),
  );
  return Messages.map(({ Body = '', MessageId = '', ReceiptHandle = '', Attributes }) => ({
    body: Body,
    messageId: MessageId,
    receiptHandle: ReceiptHandle,
    receiveCount: Number(Attributes?.ApproximateReceiveCount),
  }));
}
