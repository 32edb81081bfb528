import { AsyncLocalStorage } from 'node:async_hooks';
import { Logger } from '@aws-lambda-powertools/logger';
import type { Context } from 'aws-lambda';

/** What the operator is told: one JSON line per event, which Logs Insights takes apart by itself. */
export interface Log {
  info: (message: string, details?: object) => void;
  warn: (message: string, details?: object) => void;
  /** With the error's stack and its causes. */
  error: (message: string, error: unknown, details?: object) => void;
  /** Does `work`; every line that comes of it bears these ids, whoever writes it and whatever else is under way. */
  within: <T>(ids: object, work: () => T) => T;
}

/** A function's log. `begin` tells it whose lines come next: an invocation's. */
export interface FunctionLog extends Log {
  begin: (context: Context) => void;
}

/**
 * Writes to the standard output and error, by Powertools: with level, time, request id, function and cold start. The
 * level is what `POWERTOOLS_LOG_LEVEL` says, `INFO` if it says nothing.
 */
export function createLog(deployment: string): FunctionLog {
  const logger = new Logger({
    serviceName: deployment,
    // Powertools would write every field of an error, and those of clients hold requests.
    jsonReplacerFn: (_key, value) => (value instanceof Error ? describe(value) : value),
  });
  const ids = new AsyncLocalStorage<object>();
  return {
    info: (message, details) => logger.info(message, { ...ids.getStore(), ...details }),
    warn: (message, details) => logger.warn(message, { ...ids.getStore(), ...details }),
    error: (message, error, details) =>
      logger.error(message, { ...ids.getStore(), ...details, error: describe(error) }),
    within: (more, work) => ids.run({ ...ids.getStore(), ...more }, work),
    begin: (context) => logger.addContext(context),
  };
}

/** An error's stack with those of its causes. Other fields stay out: those of the SDK's errors may hold requests. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const text = error.stack ?? error.message;
  return error.cause === undefined ? text : `${text}\ncaused by ${describe(error.cause)}`;
}
