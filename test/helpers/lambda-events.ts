import { createHash, randomUUID } from 'node:crypto';
import type {
  APIGatewayProxyEventV2WithIAMAuthorizer,
  Context,
  EventBridgeEvent,
  SQSEvent,
  SQSRecord,
} from 'aws-lambda';

/** Events as AWS sends them, with the fields that it fills. */

const ACCOUNT = '111122223333';
const REGION = 'eu-central-1';
const API_DOMAIN = `abcdefghij.execute-api.${REGION}.amazonaws.com`;

export interface HttpRequest {
  /** With the query, if there is one. */
  path: string;
  /** GET if left out. */
  method?: string;
  headers?: Record<string, string>;
  /** A Buffer goes as Base64, as what API Gateway does not take for text. */
  body?: string | Buffer;
}

/** The stack's route that takes a method, whatever the path: what writes goes to one function, the rest to another. */
export function routeOf(method: string): string {
  return method === 'POST' || method === 'DELETE' ? `${method} /{proxy+}` : '$default';
}

/** A request that API Gateway let pass, in its format 2.0. */
export function httpEvent({
  path,
  method = 'GET',
  headers,
  body,
}: HttpRequest): APIGatewayProxyEventV2WithIAMAuthorizer {
  const [pathname = '', search = ''] = path.split(/\?(.*)/s);
  const routeKey = routeOf(method);
  const isBase64Encoded = Buffer.isBuffer(body);
  return {
    version: '2.0',
    routeKey,
    rawPath: pathname,
    rawQueryString: search,
    headers: {
      accept: '*/*',
      authorization: 'AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20300101/eu-central-1/execute-api/aws4_request, …',
      'content-length': String(body?.length ?? 0),
      host: API_DOMAIN,
      'user-agent': 'curl/8.5.0',
      'x-amz-date': '20300101T000000Z',
      'x-forwarded-for': '192.0.2.1',
      'x-forwarded-port': '443',
      'x-forwarded-proto': 'https',
      ...headers,
    },
    ...(search !== '' && { queryStringParameters: Object.fromEntries(new URLSearchParams(search)) }),
    requestContext: {
      accountId: ACCOUNT,
      apiId: 'abcdefghij',
      authorizer: {
        iam: {
          accessKey: 'AKIAEXAMPLE',
          accountId: ACCOUNT,
          callerId: 'AIDAEXAMPLE',
          cognitoIdentity: null,
          principalOrgId: 'o-example',
          userArn: `arn:aws:iam::${ACCOUNT}:user/someone`,
          userId: 'AIDAEXAMPLE',
        },
      },
      domainName: API_DOMAIN,
      domainPrefix: 'abcdefghij',
      http: { method, path: pathname, protocol: 'HTTP/1.1', sourceIp: '192.0.2.1', userAgent: 'curl/8.5.0' },
      requestId: randomUUID(),
      routeKey,
      stage: '$default',
      time: '01/Jan/2030:00:00:00 +0000',
      timeEpoch: Date.UTC(2030, 0, 1),
    },
    ...(body !== undefined && { body: isBase64Encoded ? body.toString('base64') : body }),
    isBase64Encoded,
  };
}

/** A message as a queue gives it out. */
export interface QueueMessage {
  body: string;
  messageId?: string;
  receiptHandle?: string;
  receiveCount?: number;
}

/** What the queue's event source gives a worker. */
export function sqsEvent(...messages: QueueMessage[]): SQSEvent {
  return { Records: messages.map(sqsRecord) };
}

function sqsRecord(message: QueueMessage): SQSRecord {
  const { body, messageId = randomUUID(), receiptHandle = randomUUID(), receiveCount = 1 } = message;
  return {
    messageId,
    receiptHandle,
    body,
    attributes: {
      ApproximateReceiveCount: String(receiveCount),
      SentTimestamp: String(Date.UTC(2030, 0, 1)),
      SenderId: 'AROAEXAMPLE:downburst-api',
      ApproximateFirstReceiveTimestamp: String(Date.UTC(2030, 0, 1)),
    },
    messageAttributes: {},
    md5OfBody: createHash('md5').update(body).digest('hex'),
    eventSource: 'aws:sqs',
    eventSourceARN: `arn:aws:sqs:${REGION}:${ACCOUNT}:tickets`,
    awsRegion: REGION,
  };
}

/** What the sweeper's schedule sends. */
export function scheduledEvent(): EventBridgeEvent<'Scheduled Event', object> {
  return {
    version: '0',
    id: randomUUID(),
    'detail-type': 'Scheduled Event',
    source: 'aws.events',
    account: ACCOUNT,
    time: '2030-01-01T00:00:00Z',
    region: REGION,
    resources: [`arn:aws:events:${REGION}:${ACCOUNT}:rule/sweep`],
    detail: {},
  };
}

/** What a function may ask about its invocation; not the callbacks, which Node 24 has no more. */
export function invocation(remainingMs: number): Context {
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: 'downburst',
    functionVersion: '$LATEST',
    invokedFunctionArn: `arn:aws:lambda:${REGION}:${ACCOUNT}:function:downburst`,
    memoryLimitInMB: '512',
    awsRequestId: randomUUID(),
    logGroupName: '/aws/lambda/downburst',
    logStreamName: '2030/01/01/[$LATEST]0123456789abcdef',
    getRemainingTimeInMillis: () => remainingMs,
  } as Context;
}
