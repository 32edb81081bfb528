import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Bundle } from './bundles.ts';
import { startRuntimeApi, type Outcome, type RuntimeFailure } from './runtime-api.ts';

/** What loads functions and talks to the Runtime API: the tests' own client, or the real one where that is installed. */
const CLIENT =
  process.env.LAMBDA_RUNTIME_CLIENT ?? fileURLToPath(new URL('fixtures/runtime-client.ts', import.meta.url));

/** Time that an invocation has if nothing is said: the longest that Lambda gives. */
const TIME_LIMIT_MS = 15 * 60 * 1000;

export interface Instance {
  /** Why its runtime could not start it; `undefined` if it waits for events. */
  failure: RuntimeFailure | undefined;
  invoke: (event: unknown, timeLimitMs?: number) => Promise<Outcome>;
  /** Ends it; answers all that it has written to its log. */
  end: () => Promise<string>;
}

/**
 * Starts a function's built code in a process of its own, as Lambda would: under a runtime client, and with nothing in
 * its environment but what Lambda sets and `env`.
 */
export async function startInstance(
  { folder, handler }: Pick<Bundle, 'folder' | 'handler'>,
  env: Record<string, string>,
): Promise<Instance> {
  const api = await startRuntimeApi();
  const child = spawn(process.execPath, [CLIENT], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
      AWS_LAMBDA_FUNCTION_NAME: 'downburst',
      AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '512',
      AWS_LAMBDA_LOG_FORMAT: 'JSON',
      AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/downburst',
      AWS_LAMBDA_LOG_STREAM_NAME: '2030/01/01/[$LATEST]0',
      AWS_REGION: 'eu-central-1',
      LANG: 'en_US.UTF-8',
      TZ: ':UTC',
      ...env,
      AWS_LAMBDA_RUNTIME_API: api.address,
      LAMBDA_TASK_ROOT: folder,
      _HANDLER: handler,
    },
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (log += text));
  }
  const closed = once(child, 'close');
  const died = closed.then(() => Promise.reject(new Error(`The function's process has ended:\n${log}`)));
  died.catch(() => undefined);

  return {
    failure: await Promise.race([api.started, died]),
    invoke: (event, timeLimitMs = TIME_LIMIT_MS) => Promise.race([api.invoke(event, timeLimitMs), died]),
    async end() {
      child.kill('SIGKILL');
      await closed;
      await api.close();
      return log;
    },
  };
}
