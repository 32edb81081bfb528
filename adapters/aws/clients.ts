import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { S3Client } from '@aws-sdk/client-s3';
import { SQSClient } from '@aws-sdk/client-sqs';
import { OPTION_RANGES } from '../../core/model/options.ts';
import { createPuts, type Puts } from './puts.ts';
import { createRetries } from './retries.ts';

export interface AwsClients {
  s3: S3Client;
  /** What stores whole objects, and parts of large ones, where `s3` is. */
  puts: Puts;
  lambda: LambdaClient;
  dynamo: DynamoDBClient;
  sqs: SQSClient;
  events: EventBridgeClient;
}

/** A service in the same region accepts within milliseconds; the second of two tries is better than a long wait. */
const CONNECT_MS = 2000;

/**
 * Sockets for PUTs into S3: two parts under way for each of the most downloads that a shard can have, and some for checkpoints,
 * which must not queue behind files. What else is asked of S3 goes over the SDK's own, of which a worker has few at once. With
 * the sources' sockets that is below Lambda's 1,024 file descriptors.
 */
const S3_SOCKETS = 2 * OPTION_RANGES.connectionsPerHost.max + 32;
/** No byte in either direction: S3 is gone. It keeps the line busy while it puts a large upload together. */
const S3_IDLE_MS = 10_000;
/** From the request to the answer's headers: a whole budget of parts through one Lambda's 75 MB/s, four times over. */
const S3_REQUEST_MS = 20_000;
/**
 * With pauses of up to 0.5, 1, 2 and 4 s after a 503: S3 turns some requests away while it splits a prefix. An entry
 * whose luck is worse should not hold its memory any longer; it waits on its own backoff, without.
 */
const S3_ATTEMPTS = 5;

/** Records are small, and the largest query is a megabyte. */
const DYNAMO_REQUEST_MS = 3000;
/** All attempts of a write that nobody answers end within the 15 s that a lease keeps in reserve. */
const DYNAMO_ATTEMPTS = 4;
/** A planner writes 16 records at once, a worker one. */
const DYNAMO_SOCKETS = 32;

const SQS_REQUEST_MS = 5000;
/** A visibility that was not changed brings a ticket late, tickets not sent a whole batch. */
const SQS_ATTEMPTS = 4;
const SQS_SOCKETS = 16;

/** A batch's end is told once, by who closed it; the sweeper does it again if nobody could. */
const EVENTS_REQUEST_MS = 5000;
const EVENTS_ATTEMPTS = 4;
/** Lambda answers an asynchronous invocation once it has written the event down. */
const LAMBDA_REQUEST_MS = 5000;
const LAMBDA_ATTEMPTS = 3;
const LAMBDA_SOCKETS = 4;

/**
 * A copy of every answer, made by its schema without what is secret, for a logger that nobody has set: a quarter of the
 * time that a large query takes.
 */
const LOGGING = 'loggerMiddleware';

/**
 * Clients of the SDK, with limits: its own are 50 sockets and no time limit at all. Region, credentials and endpoints
 * are what the environment says.
 *
 * Retries are Downburst's own, without the SDK's budget for all calls of a client together: see `retries.ts`.
 */
export function createClients(): AwsClients {
  const s3Limits = { sockets: S3_SOCKETS, requestMs: S3_REQUEST_MS, idleMs: S3_IDLE_MS };
  const s3 = new S3Client({
    retryStrategy: createRetries(S3_ATTEMPTS),
    // The store gives every body its checksum. Else a link for a client would hold that of an empty body, and S3 refuse
    // every other.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    // A round trip and a new connection for every part, to learn what the answer to the part says as well.
    expectContinueHeader: false,
    requestHandler: limits(s3Limits),
  });
  const clients = {
    s3,
    dynamo: new DynamoDBClient({
      retryStrategy: createRetries(DYNAMO_ATTEMPTS),
      requestHandler: limits({ sockets: DYNAMO_SOCKETS, requestMs: DYNAMO_REQUEST_MS, idleMs: DYNAMO_REQUEST_MS }),
    }),
    lambda: new LambdaClient({
      retryStrategy: createRetries(LAMBDA_ATTEMPTS),
      requestHandler: limits({ sockets: LAMBDA_SOCKETS, requestMs: LAMBDA_REQUEST_MS, idleMs: LAMBDA_REQUEST_MS }),
    }),
    sqs: new SQSClient({
      retryStrategy: createRetries(SQS_ATTEMPTS),
      requestHandler: limits({ sockets: SQS_SOCKETS, requestMs: SQS_REQUEST_MS, idleMs: SQS_REQUEST_MS }),
    }),
    events: new EventBridgeClient({
      retryStrategy: createRetries(EVENTS_ATTEMPTS),
      requestHandler: limits({ sockets: 1, requestMs: EVENTS_REQUEST_MS, idleMs: EVENTS_REQUEST_MS }),
    }),
  };
  for (const { middlewareStack } of Object.values(clients) as S3Client[]) middlewareStack.remove(LOGGING);
  return { ...clients, puts: createPuts(s3, { ...s3Limits, connectMs: CONNECT_MS }) };
}

/** Options of the SDK's HTTP handler. */
function limits(of: { sockets: number; requestMs: number; idleMs: number }) {
  const agent = { keepAlive: true, maxSockets: of.sockets };
  return {
    connectionTimeout: CONNECT_MS,
    requestTimeout: of.requestMs,
    // Left out, the limit only warns.
    throwOnRequestTimeout: true,
    // Also ends a body that stops half-way.
    socketTimeout: of.idleMs,
    httpAgent: agent,
    httpsAgent: agent,
  };
}
