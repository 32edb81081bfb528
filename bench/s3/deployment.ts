import { DeleteMessageCommand, ReceiveMessageCommand } from '@aws-sdk/client-sqs';
import type { SQSEvent } from 'aws-lambda';
import { createClients } from '../../adapters/aws/clients.ts';
import { readConfig } from '../../adapters/aws/config.ts';
import { createAwsStores } from '../../adapters/aws/stores.ts';
import { systemClock } from '../../adapters/system-clock.ts';
import { batchStatus, type BatchStatus } from '../../core/batch/status.ts';
import { submitBatch } from '../../core/batch/submit.ts';
import { DEPLOYED_LIMITS } from '../../lambdas/environment.ts';
import { startAws } from '../../test/helpers/aws.ts';
import { sqsEvent } from '../../test/helpers/lambda-events.ts';
import { FILES_BUCKET, STATE_BUCKET } from './job.ts';

export interface Deployment extends AsyncDisposable {
  /** A worker's environment. */
  env: Record<string, string>;
  /** Submits a batch that has one shard; answers its id, and the event of its ticket. */
  submit: (urls: readonly string[]) => Promise<{ id: string; event: SQSEvent }>;
  /** Takes the event's message out of the queue, as Lambda does after an invocation that has not reported it. */
  acknowledge: (event: SQSEvent) => Promise<void>;
  status: (id: string) => Promise<BatchStatus>;
}

/** Ledger (dynalite) and tickets (fauxqs) in this process; state and files are at the S3 endpoint that is given. */
export async function startDeployment(s3Endpoint: string): Promise<Deployment> {
  await using stack = new AsyncDisposableStack();
  const aws = await startAws((end) => stack.defer(end));
  const env = {
    ...aws.env,
    AWS_ENDPOINT_URL_S3: s3Endpoint,
    DOWNBURST_STATE_BUCKET: STATE_BUCKET,
    DOWNBURST_FILES_BUCKET: FILES_BUCKET,
    DOWNBURST_FILES_PREFIX: '',
  };
  process.env.AWS_ENDPOINT_URL_S3 = s3Endpoint;
  const config = readConfig(env);
  const { maxConnectionsPerHost, maxConcurrency, queueUrl } = config;
  const stores = createAwsStores(config, createClients());
  stack.defer(() => stores.close());
  const service = {
    ...stores,
    clock: systemClock,
    random: Math.random,
    limits: { ...DEPLOYED_LIMITS, maxConnectionsPerHost, maxTurns: maxConcurrency },
    announce: () => Promise.resolve(),
    warn: console.error,
  };
  const parts = stack.move();
  return {
    env,
    async submit(urls) {
      const items = urls.map((value, i) => ({ line: i + 1, value }));
      const id = await submitBatch(service, { items, options: {}, headers: {} });
      const { Messages = [] } = await aws.clients.sqs.send(
        new ReceiveMessageCommand({
          QueueUrl: queueUrl,
          MaxNumberOfMessages: 10,
          MessageSystemAttributeNames: ['All'],
        }),
      );
      const [message] = Messages;
      if (!message || Messages.length > 1) throw new Error(`The batch has ${Messages.length} shards, not one.`);
      const { MessageId: messageId = '', ReceiptHandle: receiptHandle = '', Body: body = '' } = message;
      return { id, event: sqsEvent({ body, messageId, receiptHandle, receiveCount: 1 }) };
    },
    async acknowledge({ Records }) {
      for (const { receiptHandle } of Records)
        await aws.clients.sqs.send(new DeleteMessageCommand({ QueueUrl: queueUrl, ReceiptHandle: receiptHandle }));
    },
    status: (id) => batchStatus(service, id),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}
