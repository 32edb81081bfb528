import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import type { Hono } from 'hono';
import { handle } from 'hono/aws-lambda';
import type { AppOptions } from '../http/app.ts';
import type { Log } from './log.ts';

/** An answer as API Gateway takes it. */
export interface HttpAnswer {
  statusCode: number;
  headers?: Record<string, string | string[]> | undefined;
  body: string;
  isBase64Encoded: boolean;
}

export type HttpHandler = (event: APIGatewayProxyEventV2) => Promise<HttpAnswer>;

/** Answers API Gateway's events (format 2.0) by an app. What it logs bears the id that the client gets with the answer. */
export function createHttpHandler(makeApp: (options: AppOptions) => Hono, log: Log): HttpHandler {
  const app = makeApp({ onError: (error, { method, path }) => log.error(`${method} ${path} failed`, error) });
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- in favour of a package that is not published yet
  const answer = handle(app);
  // Hono's type of the same event leaves no room for what it does not use.
  const answerTo = (event: unknown) => answer(event as Parameters<typeof answer>[0]);
  return (event) => log.within({ apiRequestId: event.requestContext.requestId }, () => answerTo(event));
}
