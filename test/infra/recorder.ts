import { createServer, request as sendRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import type { Call } from './needs.ts';

/** Passes requests on to an emulator, and tells what each asks for, once it is answered. */
export async function startRecorder(target: string, onCall: (call: Call) => void): Promise<string> {
  const { hostname, port } = new URL(target);
  const server = createServer((incoming, answer) => {
    const pass = async () => {
      const body = await buffer(incoming);
      const { method, url: path, headers } = incoming;
      const outgoing = sendRequest({ hostname, port, method, path, headers }, (response) => {
        const call = callOf(incoming, body);
        onCall(response.statusCode === 404 ? { ...call, error: 'NotFound' } : call);
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

function callOf({ method = '', url = '', headers }: IncomingMessage, body: Buffer): Call {
  const FunctionName = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(url)?.[1];
  if (FunctionName !== undefined) return { service: 'lambda', command: 'Invoke', input: { FunctionName } };
  const target = headers['x-amz-target'];
  if (typeof target !== 'string') return callOfS3(method, new URL(url, 'http://s3'));
  const [api = '', command = ''] = target.split('.');
  const service = api.startsWith('DynamoDB') ? 'dynamo' : api === 'AWSEvents' ? 'events' : 'sqs';
  return { service, command, input: JSON.parse(body.toString()) as Call['input'] };
}

function callOfS3(method: string, { pathname, searchParams }: URL): Call {
  const [, Bucket = '', ...key] = decodeURIComponent(pathname).split('/');
  const input = { Bucket, Key: key.join('/'), Prefix: searchParams.get('prefix') ?? '' };
  const partial = searchParams.has('uploadId');
  const commands: Record<string, string> = {
    PUT: partial ? 'UploadPart' : 'PutObject',
    POST: partial ? 'CompleteMultipartUpload' : 'CreateMultipartUpload',
    DELETE: partial ? 'AbortMultipartUpload' : 'DeleteObject',
    GET: searchParams.has('list-type') ? 'ListObjectsV2' : 'GetObject',
    HEAD: 'HeadObject',
  };
  return { service: 's3', command: commands[method] ?? method, input };
}
