import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { CreateTableCommand } from '@aws-sdk/client-dynamodb';
import { CreateBucketCommand, type ListObjectsV2CommandOutput } from '@aws-sdk/client-s3';
import { CreateQueueCommand, type GetQueueAttributesCommandOutput } from '@aws-sdk/client-sqs';
import dynalite from 'dynalite';
import { buildApp } from 'fauxqs';
import { onTestFinished } from 'vitest';
import { createClients, type AwsClients } from '../../adapters/aws/clients.ts';
import { readConfig, type AwsConfig } from '../../adapters/aws/config.ts';

import { startEventBus, type EventBus } from './event-bus.ts';

/** The queue's own visibility, that of the deployed one: the worker's time limit. */
export const QUEUE_VISIBILITY_MS = 15 * 60 * 1000;
/** After so many receives a message goes to the dead-letter queue. */
const MAX_RECEIVES = 1000;
const RETENTION_SECONDS = 14 * 24 * 60 * 60;

const TABLE = 'downburst-ledger';
const STATE_BUCKET = 'downburst-state';
const FILES_BUCKET = 'downburst-files';
const QUEUE = 'downburst-tickets';
const DEAD_LETTERS = 'downburst-dead-tickets';
const PLANNER_FUNCTION = 'downburst-planner';
const REGION = 'eu-central-1';

const arnOf = (queue: string) => `arn:aws:sqs:${REGION}:000000000000:${queue}`;

export interface Aws {
  /** The environment of a function: what it is configured by, and how its clients find the emulators. */
  env: Record<string, string>;
  config: AwsConfig;
  queueArn: string;
  /** Clients of their own, closed with the test. They find a few things as AWS would have them: see `mend`. */
  createClients: () => AwsClients;
  clients: AwsClients;
  events: EventBus;
  /** What is in the queue, without receiving it. */
  inspectQueue: () => Promise<QueueContent>;
  /** Asynchronous invocations that Lambda was asked for, oldest first. */
  invocations: Invocation[];
}

export interface Invocation {
  functionName: string;
  event: unknown;
}

/** Takes what is to be done when whoever needs the emulators is through: the running test, if nobody else. */
export type AtEnd = (end: () => void | Promise<void>) => void;

export interface QueueContent {
  ready: QueuedMessage[];
  inflight: { message: QueuedMessage; receiptHandle: string; visibilityDeadline: number }[];
}

export interface QueuedMessage {
  messageId: string;
  body: string;
  approximateReceiveCount: number;
}

/**
 * Starts fauxqs (S3, SQS), dynalite (DynamoDB) and an event bus in this process, with the table, the queue and the
 * buckets that a deployment makes, and points the SDK at them by its environment variables.
 *
 * They are no AWS. None of their requests is authorised. fauxqs checks no checksum, knows no condition on writes, lists
 * no uploads, keeps no MessageGroupId; an upload that was completed is gone, where S3 remembers it for a while.
 * dynalite has no transactions and never drops an item by its TTL.
 */
export async function startAws(atEnd: AtEnd = onTestFinished): Promise<Aws> {
  const fauxqs = buildApp({ logger: false });
  const fauxqsUrl = await fauxqs.listen({ host: '127.0.0.1', port: 0 });
  atEnd(() => fauxqs.close());
  const dynamo = dynalite({ createTableMs: 0 });
  dynamo.listen(0, '127.0.0.1');
  await once(dynamo, 'listening');
  atEnd(async () => {
    const closed = once(dynamo, 'close');
    dynamo.close();
    dynamo.closeAllConnections();
    await closed;
  });

  const events = await startEventBus(atEnd);
  const invocations: Invocation[] = [];
  const env = {
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_ENDPOINT_URL_S3: fauxqsUrl,
    AWS_ENDPOINT_URL_SQS: fauxqsUrl,
    AWS_ENDPOINT_URL_EVENTBRIDGE: events.url,
    AWS_ENDPOINT_URL_LAMBDA: await startLambda(invocations, atEnd),
    DOWNBURST_PLANNER_FUNCTION: PLANNER_FUNCTION,
    AWS_ENDPOINT_URL_DYNAMODB: `http://127.0.0.1:${(dynamo.address() as AddressInfo).port}`,
    DOWNBURST_TABLE: TABLE,
    DOWNBURST_STATE_BUCKET: STATE_BUCKET,
    DOWNBURST_FILES_BUCKET: FILES_BUCKET,
    DOWNBURST_FILES_PREFIX: 'files/',
    DOWNBURST_QUEUE_URL: `${fauxqsUrl}/000000000000/${QUEUE}`,
  };
  atEnd(setEnvironment(env));

  async function inspectQueue(): Promise<QueueContent> {
    const answer = await fetch(`${fauxqsUrl}/_fauxqs/queues/${QUEUE}`);
    return ((await answer.json()) as { messages: QueueContent }).messages;
  }

  function createTestClients(): AwsClients {
    const clients = mend(createClients(), inspectQueue);
    atEnd(() => {
      for (const client of Object.values(clients) as AwsClients[keyof AwsClients][]) client.destroy();
    });
    return clients;
  }

  const clients = createTestClients();
  await createResources(clients);
  const config = readConfig(env);
  return {
    env,
    config,
    queueArn: arnOf(QUEUE),
    createClients: createTestClients,
    clients,
    events,
    inspectQueue,
    invocations,
  };
}

/** Sets variables of this process; answers how to set them back. */
function setEnvironment(env: Record<string, string>): () => void {
  const former = Object.keys(env).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, env);
  return () => {
    for (const [name, value] of former) {
      if (value === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = value;
    }
  };
}

/** Takes asynchronous invocations as Lambda does: it answers once they are written down. Answers its URL. */
async function startLambda(invocations: Invocation[], atEnd: AtEnd): Promise<string> {
  const server = createServer((request, response) => {
    const take = async () => {
      const event = JSON.parse(await text(request)) as unknown;
      const name = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(request.url ?? '')?.[1];
      const isEvent = request.headers['x-amz-invocation-type'] === 'Event';
      if (name !== undefined && isEvent) invocations.push({ functionName: decodeURIComponent(name), event });
      response.writeHead(name !== undefined && isEvent ? 202 : 400).end();
    };
    take().catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Makes what the stack makes. */
async function createResources({ s3, sqs, dynamo }: AwsClients): Promise<void> {
  await dynamo.send(
    new CreateTableCommand({
      TableName: TABLE,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [
        { AttributeName: 'pk', AttributeType: 'S' },
        { AttributeName: 'sk', AttributeType: 'S' },
      ],
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
    }),
  );
  for (const Bucket of [STATE_BUCKET, FILES_BUCKET]) await s3.send(new CreateBucketCommand({ Bucket }));
  const retention = { MessageRetentionPeriod: String(RETENTION_SECONDS) };
  await sqs.send(new CreateQueueCommand({ QueueName: DEAD_LETTERS, Attributes: retention }));
  await sqs.send(
    new CreateQueueCommand({
      QueueName: QUEUE,
      Attributes: {
        ...retention,
        VisibilityTimeout: String(QUEUE_VISIBILITY_MS / 1000),
        RedrivePolicy: JSON.stringify({
          deadLetterTargetArn: arnOf(DEAD_LETTERS),
          maxReceiveCount: MAX_RECEIVES,
        }),
      },
    }),
  );
}

/**
 * Puts two answers of fauxqs right that would fail what is right on AWS: it lists keys in the order of a language
 * instead of their bytes, and counts a message whose time is over as hidden until somebody receives.
 */
function mend(clients: AwsClients, inspectQueue: () => Promise<QueueContent>): AwsClients {
  clients.s3.middlewareStack.add(
    (next, context) => async (args) => {
      const result = await next(args);
      if (context.commandName === 'ListObjectsV2Command') {
        const { Contents } = result.output as ListObjectsV2CommandOutput;
        Contents?.sort((a, b) => Buffer.compare(Buffer.from(a.Key ?? ''), Buffer.from(b.Key ?? '')));
      }
      return result;
    },
    { step: 'initialize', name: 'listInByteOrder' },
  );
  clients.sqs.middlewareStack.add(
    (next, context) => async (args) => {
      const result = await next(args);
      const { Attributes } = result.output as GetQueueAttributesCommandOutput;
      if (context.commandName === 'GetQueueAttributesCommand' && Attributes?.ApproximateNumberOfMessages) {
        const { ready, inflight } = await inspectQueue();
        const due = inflight.filter(({ visibilityDeadline }) => visibilityDeadline <= Date.now());
        Attributes.ApproximateNumberOfMessages = String(ready.length + due.length);
      }
      return result;
    },
    { step: 'initialize', name: 'countVisible' },
  );
  return clients;
}
