import { createServer, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { HttpAnswer, HttpHandler } from '../../lambdas/http-handler.ts';
import { httpEvent, routeOf } from './lambda-events.ts';

/** Headers that speak of a connection, and those that the gateway sets itself. */
const NOT_PASSED_ON = ['connection', 'content-length', 'host', 'keep-alive', 'transfer-encoding'];

export interface Gateway {
  url: string;
  close: () => Promise<void>;
}

/**
 * API Gateway's HTTP API before two functions, as the stack has it: real HTTP in front, events of format 2.0 behind.
 *
 * It keeps these rules of the real one. A request is read whole before its function is invoked, so that nobody hears of
 * a client that hangs up. A body that is not text goes as Base64. The path is passed on as it came. It does not keep
 * these: it authorises nobody, has no time limit of its own, and takes bodies of any size. That bytes which are not
 * UTF-8 go as Base64, whatever type they claim to be of, is assumed.
 */
export async function startGateway(functions: Record<'api' | 'status', HttpHandler>): Promise<Gateway> {
  async function answer(request: IncomingMessage): Promise<HttpAnswer> {
    const { method = 'GET', url: path = '/', headers } = request;
    const body = await buffer(request);
    const handler = routeOf(method) === '$default' ? functions.status : functions.api;
    return handler(
      httpEvent({ path, method, headers: passedOn(headers), ...(body.length > 0 && { body: asText(body) }) }),
    );
  }

  const server = createServer((request, response) => {
    answer(request).then(
      ({ statusCode, headers, body, isBase64Encoded }) => {
        response.writeHead(statusCode, headers);
        response.end(Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8'));
      },
      () => response.writeHead(502).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function passedOn(headers: IncomingHttpHeaders): Record<string, string> {
  const entries = Object.entries(headers).filter(([name]) => !NOT_PASSED_ON.includes(name));
  return Object.fromEntries(entries.map(([name, value]) => [name, String(value)]));
}

function asText(body: Buffer): string | Buffer {
  const text = body.toString('utf8');
  return Buffer.from(text).equals(body) ? text : body;
}
