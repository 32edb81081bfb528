import type { Context } from 'aws-lambda';
import { readConfig, type AwsConfig } from '../adapters/aws/config.ts';
import { createAwsStores } from '../adapters/aws/stores.ts';
import { systemClock } from '../adapters/system-clock.ts';
import type { DeploymentLimits, PlanningService, Summary } from '../core/batch/service.ts';
import { AWS_PRICES } from '../core/cost/prices.ts';
import type { FileLinks } from '../core/ports/file-links.ts';
import type { ObjectStore } from '../core/ports/object-store.ts';
import { createLog, type FunctionLog } from './log.ts';
import { createMeter, type FunctionMeter } from './meter.ts';

/** How work is dealt out among Lambdas. */
export const DEPLOYED_LIMITS: Omit<DeploymentLimits, 'maxConnectionsPerHost' | 'maxOpenBatches' | 'maxTurns'> = {
  /** A status is one query over so many records. */
  maxShards: 1000,
  /** Less work than this is over before another Lambda has started. */
  minEntriesPerShard: 200,
  /** Few enough that a large host's bandwidth adds up over several Lambdas. */
  connectionsPerShard: 16,
  /** What one event loop with one vCPU holds with ease. */
  connectionsPerMixedShard: 64,
  /** A guard against a surprising bill. */
  maxTotalBytes: 1024 ** 4,
};

/** What the functions are made of. */
export interface Environment {
  config: AwsConfig;
  service: PlanningService;
  files: ObjectStore & FileLinks;
  log: FunctionLog;
  meter: FunctionMeter;
}

type Handler<E, A> = (event: E, context: Context) => Promise<A>;

/**
 * A Lambda's entry point. Its handler is made at the first invocation and kept, with its clients, for the later ones;
 * until then nothing happens. A handler that cannot be made fails every invocation, by name. Every line of the log bears
 * the invocation's id, and no metric outlives its invocation.
 */
export function entryPoint<E, A>(make: (environment: Environment) => Handler<E, A>): Handler<E, A> {
  let made: (Environment & { handler: Handler<E, A> }) | undefined;
  return async (event, context) => {
    if (!made) {
      const environment = createEnvironment(process.env);
      made = { ...environment, handler: make(environment) };
    }
    const { handler, log, meter } = made;
    log.begin(context);
    try {
      return await handler(event, context);
    } catch (error) {
      log.error('the invocation failed', error);
      throw bare(error);
    } finally {
      meter.flush();
    }
  };
}

/** What Lambda may log of an error: it would write every field, and those of clients hold requests. */
function bare(error: unknown): Error {
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
  return Object.assign(new Error(message), { name, stack });
}

function createEnvironment(env: NodeJS.ProcessEnv): Environment {
  const config = readConfig(env);
  const { ledger, tickets, state, files, publish, startPlanner } = createAwsStores(config);
  const { maxConnectionsPerHost, maxOpenBatches } = config;
  const log = createLog(config.deployment);
  const meter = createMeter(config.deployment, () => systemClock.now(), Math.random);
  const service: PlanningService = {
    ledger,
    tickets,
    state,
    files,
    startPlanner,
    clock: systemClock,
    random: Math.random,
    limits: { ...DEPLOYED_LIMITS, maxConnectionsPerHost, maxOpenBatches, maxTurns: config.maxConcurrency },
    billing: { prices: AWS_PRICES, workerMb: config.workerMemoryMb },
    announce: async (summary) => {
      await publish(summary);
      meter.record('ClosedBatches', 1);
      log.info('batch closed', closedDetails(summary));
    },
    warn: log.warn,
    meter: meter.record,
  };
  return { config, service, files, log, meter };
}

function closedDetails(summary: Summary): object {
  const { id: batchId, state, total, done, failed, skipped, cancelled, bytes, failures } = summary;
  return { batchId, state, total, done, failed, skipped, cancelled, bytes, failures };
}
