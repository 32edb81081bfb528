import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { CreateTableCommand } from '@aws-sdk/client-dynamodb';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { CreateQueueCommand } from '@aws-sdk/client-sqs';
import dynalite from 'dynalite';
import { buildApp } from 'fauxqs';
import type { AwsClients } from '../adapters/aws/clients.ts';

const TABLE = 'ledger';
const BUCKET = 'state';
const QUEUE = 'tickets';

export interface Emulators {
  /** The environment of a function: what it is configured by, and how its clients find the emulators. */
  env: Record<string, string>;
  close: () => Promise<void>;
}

/**
 * Starts emulators of S3, SQS (fauxqs) and DynamoDB (dynalite) in this process, with a table, a bucket and a queue.
 *
 * @param createClients called once the SDK's own environment variables say where they are
 */
export async function startEmulators(createClients: () => AwsClients): Promise<Emulators> {
  const fauxqs = buildApp({ logger: false });
  const url = await fauxqs.listen({ host: '127.0.0.1', port: 0 });
  const dynamo = dynalite({ createTableMs: 0 });
  dynamo.listen(0, '127.0.0.1');
  await once(dynamo, 'listening');
  const env = {
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'bench',
    AWS_SECRET_ACCESS_KEY: 'bench',
    AWS_ENDPOINT_URL_S3: url,
    AWS_ENDPOINT_URL_SQS: url,
    AWS_ENDPOINT_URL_DYNAMODB: `http://127.0.0.1:${(dynamo.address() as AddressInfo).port}`,
    DOWNBURST_TABLE: TABLE,
    DOWNBURST_STATE_BUCKET: BUCKET,
    DOWNBURST_FILES_BUCKET: BUCKET,
    DOWNBURST_QUEUE_URL: `${url}/000000000000/${QUEUE}`,
  };
  Object.assign(process.env, env);
  const clients = createClients();
  await clients.dynamo.send(
    new CreateTableCommand({
      TableName: TABLE,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: ['pk', 'sk'].map((name) => ({ AttributeName: name, AttributeType: 'S' })),
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
    }),
  );
  await clients.s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
  await clients.sqs.send(new CreateQueueCommand({ QueueName: QUEUE }));
  return {
    env,
    async close() {
      for (const client of [clients.s3, clients.dynamo, clients.sqs]) client.destroy();
      dynamo.close();
      dynamo.closeAllConnections();
      await fauxqs.close();
    },
  };
}
