import { createAwsStores } from '../../../adapters/aws/stores.ts';
import { systemClock } from '../../../adapters/system-clock.ts';
import type { PlanningService } from '../../../core/batch/service.ts';
import { parseNetworks } from '../../../core/download/address-guard.ts';
import { createByteBudget } from '../../../core/download/byte-budget.ts';
import { createDownloader } from '../../../core/download/create-downloader.ts';
import { createApiHandler } from '../../../lambdas/api.ts';
import { createPlannerHandler } from '../../../lambdas/planner.ts';
import { createStatusHandler } from '../../../lambdas/status.ts';
import { createWorkerHandler } from '../../../lambdas/worker.ts';
import { QUEUE_VISIBILITY_MS, startAws } from '../../helpers/aws.ts';
import { createEventSource } from '../../helpers/event-source.ts';
import { startGateway } from '../../helpers/gateway.ts';
import { createTestLog } from '../../helpers/log.ts';
import type { ApiHost } from './api-suite.ts';

const MIB = 1024 ** 2;
/** How often the queue is asked for tickets. */
const POLL_MS = 50;

/** The functions of a deployment behind a gateway, over the emulators, with workers that take their tickets. */
export async function startFunctions(): Promise<ApiHost> {
  await using stack = new AsyncDisposableStack();
  const aws = await startAws((end) => stack.defer(end));
  const { ledger, tickets, state, files, startPlanner } = createAwsStores(aws.config, aws.clients);
  const service: PlanningService = {
    startPlanner,
    ledger,
    tickets,
    state,
    files,
    clock: systemClock,
    random: Math.random,
    limits: {
      maxShards: 1000,
      minEntriesPerShard: 200,
      connectionsPerShard: 16,
      connectionsPerMixedShard: 64,
      maxConnectionsPerHost: 256,
      maxTurns: 8,
    },
    announce: () => Promise.resolve(),
    warn: () => undefined,
  };
  const { log } = createTestLog();

  const downloader = createDownloader({
    files,
    clock: systemClock,
    budget: createByteBudget(48 * MIB),
    resolve: () => Promise.reject(new Error('The sources have no names.')),
    allowedNetworks: parseNetworks(['127.0.0.0/8']),
  });
  stack.defer(() => downloader.close());
  const source = createEventSource({
    aws,
    invoke: createWorkerHandler({ ...service, download: downloader.download }, log),
    clock: systemClock,
    maxConcurrency: 10,
    timeoutMs: QUEUE_VISIBILITY_MS,
    onError: (error) => log.error('an invocation failed', error),
  });
  const plan = createPlannerHandler(service, log);
  const stop = new AbortController();
  const polling = (async () => {
    while (!stop.signal.aborted || source.invocations > 0) {
      const invoked = aws.invocations.splice(0);
      await Promise.all(invoked.map(({ event }) => plan(event)));
      if (!stop.signal.aborted) await source.poll();
      await systemClock.sleep(POLL_MS);
    }
  })();
  stack.defer(() => polling);

  const gateway = await startGateway({
    api: createApiHandler(service, log),
    status: createStatusHandler({ ...service, files }, log),
  });
  stack.defer(() => gateway.close());
  stack.defer(() => stop.abort());

  const parts = stack.move();
  return { url: gateway.url, close: () => parts.disposeAsync() };
}
