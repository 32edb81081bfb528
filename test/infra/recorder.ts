import { createServer, request as sendRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';

/** What a request to AWS has to be allowed: an action on a resource, here by the name that the tests give it. */
export interface Need {
  action: string;
  resource: string;
  /** What a listing is limited to. */
  prefix?: string | undefined;
}

/** Passes requests on to an emulator, and tells what each would need to be allowed on AWS. */
export async function startRecorder(target: string, onNeed: (need: Need) => void): Promise<string> {
  const { hostname, port } = new URL(target);
  const server = createServer((incoming, answer) => {
    const pass = async () => {
      const body = await buffer(incoming);
      onNeed(needOf(incoming, body));
      const { method, url: path, headers } = incoming;
      const outgoing = sendRequest({ hostname, port, method, path, headers }, (response) => {
        answer.writeHead(response.statusCode ?? 0, response.headers);
        response.pipe(answer);
      });
      outgoing.on('error', () => answer.destroy());
      outgoing.end(body);
    };
    pass().catch(() => answer.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function needOf({ method = '', url = '', headers }: IncomingMessage, body: Buffer): Need {
  const lambda = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(url)?.[1];
  if (lambda !== undefined) return { action: 'lambda:InvokeFunction', resource: lambda };
  const target = headers['x-amz-target'];
  if (typeof target !== 'string') return needOfS3(method, new URL(url, 'http://s3'));
  const [service = '', operation = ''] = target.split('.');
  const input = JSON.parse(body.toString()) as { TableName?: string; QueueUrl?: string };
  if (service.startsWith('DynamoDB')) return { action: `dynamodb:${operation}`, resource: input.TableName ?? '' };
  if (service === 'AWSEvents') return { action: `events:${operation}`, resource: 'event-bus/default' };
  // A batch of calls is allowed by the call.
  const action = `sqs:${operation.replace(/Batch$/, '')}`;
  return { action, resource: input.QueueUrl?.split('/').at(-1) ?? '' };
}

function needOfS3(method: string, { pathname, searchParams }: URL): Need {
  const [, bucket = '', ...key] = decodeURIComponent(pathname).split('/');
  const resource = [bucket, ...key].join('/').replace(/\/$/, '');
  if (searchParams.has('list-type')) {
    return { action: 's3:ListBucket', resource: bucket, prefix: searchParams.get('prefix') ?? '' };
  }
  if (method === 'DELETE' && searchParams.has('uploadId')) return { action: 's3:AbortMultipartUpload', resource };
  const action = { PUT: 's3:PutObject', POST: 's3:PutObject', DELETE: 's3:DeleteObject' }[method] ?? 's3:GetObject';
  return { action, resource };
}
