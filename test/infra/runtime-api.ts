import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

/** What a function's process has made of an event, or of its start: an answer, or an error as its runtime tells it. */
export type Outcome = { answer: unknown } | { error: RuntimeFailure };

export interface RuntimeFailure {
  errorType: string;
  errorMessage: string;
  /** The stack, line by line. */
  trace: string[];
}

export interface RuntimeApi {
  /** `AWS_LAMBDA_RUNTIME_API` of the one process that may use it. */
  address: string;
  /** Resolves when the process has asked for its first event, or has told why it cannot. */
  started: Promise<RuntimeFailure | undefined>;
  /** Gives the process an event, and it so much time for that; one at a time. */
  invoke: (event: unknown, timeLimitMs: number) => Promise<Outcome>;
  close: () => Promise<void>;
}

export const FUNCTION_ARN = 'arn:aws:lambda:eu-central-1:000000000000:function:downburst';

interface Invocation {
  requestId: string;
  event: unknown;
  deadline: number;
  ended: (outcome: Outcome) => void;
}

/**
 * Lambda's Runtime API for one process, as AWS documents it for custom runtimes (version 2018-06-01). A process that
 * asks for its next event waits until there is one. Unlike the real one it ends no process that outlives its deadline.
 */
export async function startRuntimeApi(): Promise<RuntimeApi> {
  const started = Promise.withResolvers<RuntimeFailure | undefined>();
  let waiting: ServerResponse | undefined;
  let next: Invocation | undefined;
  let running: Invocation | undefined;

  function give(): void {
    if (!waiting || !next) return;
    const { requestId, event, deadline } = next;
    waiting.writeHead(200, {
      'content-type': 'application/json',
      'lambda-runtime-aws-request-id': requestId,
      'lambda-runtime-deadline-ms': String(deadline),
      'lambda-runtime-invoked-function-arn': FUNCTION_ARN,
      'lambda-runtime-trace-id': 'Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0',
    });
    waiting.end(JSON.stringify(event));
    [running, next, waiting] = [next, undefined, undefined];
  }

  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url = '' } = request;
    const path = /^\/2018-06-01\/runtime\/(.*)$/.exec(url)?.[1];
    if (method === 'GET' && path === 'invocation/next') {
      waiting = response;
      started.resolve(undefined);
      give();
      return;
    }
    const body = await json(request);
    const accept = () => response.writeHead(202, { 'content-type': 'application/json' }).end('{"status":"OK"}');
    if (method === 'POST' && path === 'init/error') {
      started.resolve(body as RuntimeFailure);
      accept();
      return;
    }
    const [, requestId, how] = /^invocation\/([^/]+)\/(response|error)$/.exec(path ?? '') ?? [];
    if (method !== 'POST' || !running || requestId !== running.requestId) throw new Error(`${method} ${url}`);
    const { ended } = running;
    running = undefined;
    accept();
    ended(how === 'response' ? { answer: body } : { error: body as RuntimeFailure });
  }

  const server = createServer((request, response) => {
    take(request, response).catch(() => response.writeHead(400).end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    started: started.promise,
    invoke: (event, timeLimitMs) =>
      new Promise((ended) => {
        next = { requestId: randomUUID(), event, deadline: Date.now() + timeLimitMs, ended };
        give();
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
