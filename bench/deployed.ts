import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { SQSBatchResponse } from 'aws-lambda';
import { systemClock } from '../adapters/system-clock.ts';
import type { HttpAnswer } from '../lambdas/http-handler.ts';
import { QUEUE_VISIBILITY_MS, startAws } from '../test/helpers/aws.ts';
import { createEventSource } from '../test/helpers/event-source.ts';
import { startGateway } from '../test/helpers/gateway.ts';
import type { Ending, FunctionName, Invocation } from './function.ts';
import type { Host } from './million.ts';

const SCRIPT = new URL('function.ts', import.meta.url);
/** Workers at once: more would share the same cores. */
const WORKERS = 4;
/** How often queue and invocations are looked at, and how often the sweeper's schedule comes. */
const POLL_MS = 100;
const SWEEP_MS = 60_000;

/** A function: instances that are processes, each with one invocation at a time, started as they are needed. */
function createFunction(name: FunctionName, env: Record<string, string>) {
  const instances: ChildProcess[] = [];
  const idle: ChildProcess[] = [];
  const deaths = new WeakMap<ChildProcess, Promise<Ending>>();

  function start(): ChildProcess {
    const instance = fork(SCRIPT, [name], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    instances.push(instance);
    deaths.set(
      instance,
      once(instance, 'exit').then(() => ({ error: `An instance of ${name} died.` })),
    );
    return instance;
  }

  async function invoke(event: unknown, remainingMs = QUEUE_VISIBILITY_MS): Promise<unknown> {
    const instance = idle.pop() ?? start();
    instance.send({ event, deadline: Date.now() + remainingMs } satisfies Invocation);
    const answered = once(instance, 'message').then(([message]) => message as Ending);
    const ending = await Promise.race([answered, deaths.get(instance) ?? answered]);
    if ('error' in ending) throw new Error(ending.error);
    idle.push(instance);
    return ending.answer;
  }

  return { instances, invoke };
}

/** The deployed service on this machine: its functions, each a process, over the emulators in this one. */
export async function startDeployed(): Promise<Host> {
  await using stack = new AsyncDisposableStack();
  const aws = await startAws((end) => stack.defer(end));
  const names = ['api', 'planner', 'status', 'sweeper', 'worker'] as const;
  const functions = Object.fromEntries(names.map((name) => [name, createFunction(name, aws.env)])) as Record<
    FunctionName,
    ReturnType<typeof createFunction>
  >;
  stack.defer(async () => {
    const all = Object.values(functions).flatMap(({ instances }) => instances);
    await Promise.all(all.map((instance) => (instance.disconnect(), once(instance, 'exit'))));
  });

  const failed = (error: unknown) => console.error(error);
  const source = createEventSource({
    aws,
    invoke: async (event, context) =>
      (await functions.worker.invoke(event, context.getRemainingTimeInMillis())) as SQSBatchResponse,
    clock: systemClock,
    maxConcurrency: WORKERS,
    timeoutMs: QUEUE_VISIBILITY_MS,
    onError: failed,
  });
  const stop = new AbortController();
  const working = (async () => {
    let sweepAt = Date.now() + SWEEP_MS;
    while (!stop.signal.aborted || source.invocations > 0) {
      for (const { event } of aws.invocations.splice(0)) functions.planner.invoke(event).catch(failed);
      if (Date.now() >= sweepAt) {
        sweepAt += SWEEP_MS;
        functions.sweeper.invoke({}).catch(failed);
      }
      if (!stop.signal.aborted) await source.poll();
      await systemClock.sleep(POLL_MS);
    }
  })();
  stack.defer(() => working);
  const http = (name: 'api' | 'status') => async (event: unknown) =>
    (await functions[name].invoke(event)) as HttpAnswer;
  const gateway = await startGateway({ api: http('api'), status: http('status') });
  stack.defer(() => gateway.close());
  stack.defer(() => stop.abort());

  const parts = stack.move();
  return {
    url: gateway.url,
    packed: true,
    processes: () =>
      names.flatMap((name) =>
        functions[name].instances.map(({ pid = 0 }, i) => ({ name: i === 0 ? name : `${name} ${i + 1}`, pid })),
      ),
    stop: () => parts.disposeAsync(),
  };
}
