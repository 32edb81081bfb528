import { readConfig, type AwsConfig } from '../adapters/aws/config.ts';
import { createAwsStores } from '../adapters/aws/stores.ts';
import { systemClock } from '../adapters/system-clock.ts';
import type { DeploymentLimits, PlanningService, Summary } from '../core/batch/service.ts';
import { AWS_PRICES } from '../core/cost/prices.ts';
import type { FileLinks } from '../core/ports/file-links.ts';
import type { ObjectStore } from '../core/ports/object-store.ts';
import { createLog, type Log } from './log.ts';

/** How work is dealt out among Lambdas. */
const DEPLOYED_LIMITS: Omit<DeploymentLimits, 'maxConnectionsPerHost' | 'maxOpenBatches' | 'maxTurns'> = {
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
  log: Log;
}

type Handler<E, C, A> = (event: E, context: C) => Promise<A>;

/**
 * A Lambda's entry point. Its handler is made at the first invocation and kept, with its clients, for the later ones;
 * until then nothing happens. A handler that cannot be made fails every invocation, by name.
 */
export function entryPoint<E, C, A>(make: (environment: Environment) => Handler<E, C, A>): Handler<E, C, A> {
  let handler: Handler<E, C, A> | undefined;
  return async (event, context) => {
    handler ??= make(createEnvironment(process.env));
    return handler(event, context);
  };
}

function createEnvironment(env: NodeJS.ProcessEnv): Environment {
  const config = readConfig(env);
  const { ledger, tickets, state, files, publish, startPlanner } = createAwsStores(config);
  const { maxConnectionsPerHost, maxOpenBatches } = config;
  const log = createLog(process.stdout, () => systemClock.now());
  const service: PlanningService = {
    ledger,
    tickets,
    state,
    files,
    startPlanner,
    clock: systemClock,
    random: Math.random,
    limits: { ...DEPLOYED_LIMITS, maxConnectionsPerHost, maxOpenBatches, maxTurns: config.maxConcurrency },
    prices: AWS_PRICES,
    announce: async (summary) => {
      await publish(summary);
      log.info('batch closed', closedDetails(summary));
    },
    warn: (message, details) => log.warn(message, details),
  };
  return { config, service, files, log };
}

function closedDetails(summary: Summary): object {
  const { id: batchId, state, total, done, failed, skipped, cancelled, bytes, failures } = summary;
  return { batchId, state, total, done, failed, skipped, cancelled, bytes, failures };
}
