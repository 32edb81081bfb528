import { parseNetworks, type Network } from '../../core/download/address-guard.ts';
import { DEFAULT_MAX_OPEN_BATCHES, WORKER_MB } from '../../core/model/limits.ts';
import { OPTION_RANGES } from '../../core/model/options.ts';
import {
  CONCURRENCY_RANGE,
  DEFAULT_CONCURRENCY,
  networkProblem,
  OPEN_BATCHES_RANGE,
  prefixProblem,
  WORKER_MEMORY_MB_RANGE,
} from './settings.ts';

/** What a deployment says of itself. Region, credentials and endpoints are the SDK's own variables. */
export interface AwsConfig {
  /** What tells this deployment's metrics from those of others in the same account and region. */
  deployment: string;
  table: string;
  stateBucket: string;
  filesBucket: string;
  /** What every key of a file begins with: empty, or whole folders as `a/b/`. */
  filesPrefix: string;
  queueUrl: string;
  /** The planner's function; empty for functions that do not start it. */
  plannerFunction: string;
  /** The highest `connectionsPerHost` that a batch may ask for. */
  maxConnectionsPerHost: number;
  /** Batches that may be open at once. */
  maxOpenBatches: number;
  /** Workers at once. */
  maxConcurrency: number;
  /** Memory of a worker, in MB. */
  workerMemoryMb: number;
  /** Networks that may be downloaded from although they are not public. */
  allowedNetworks: Network[];
}

/** Variables are missing or cannot be used; the message names each. */
export class ConfigError extends Error {
  constructor(problems: readonly string[]) {
    super(`Downburst cannot start: ${problems.join('; ')}.`);
    this.name = 'ConfigError';
  }
}

const DEFAULT_DEPLOYMENT = 'Downburst';

/** Reads the environment, whole, so that everything that is wrong with it is told at once. Errors: `ConfigError`. */
export function readConfig(env: NodeJS.ProcessEnv): AwsConfig {
  const problems: string[] = [];

  /** `parse` throws an Error that says what the variable should be. */
  function read<T>(name: string, parse: (text: string) => T, fallback?: T): T | undefined {
    const text = env[name] ?? '';
    if (text === '' && fallback !== undefined) return fallback;
    try {
      if (text === '') throw new Error('is missing');
      return parse(text);
    } catch (error) {
      problems.push(`${name} ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  }

  const config: { [name in keyof AwsConfig]: AwsConfig[name] | undefined } = {
    deployment: read('DOWNBURST_DEPLOYMENT', parseDimension, DEFAULT_DEPLOYMENT),
    table: read('DOWNBURST_TABLE', String),
    stateBucket: read('DOWNBURST_STATE_BUCKET', String),
    filesBucket: read('DOWNBURST_FILES_BUCKET', String),
    filesPrefix: read('DOWNBURST_FILES_PREFIX', parsePrefix, ''),
    queueUrl: read('DOWNBURST_QUEUE_URL', parseUrl),
    plannerFunction: read('DOWNBURST_PLANNER_FUNCTION', String, ''),
    maxConnectionsPerHost: read(
      'DOWNBURST_MAX_CONNECTIONS_PER_HOST',
      wholeNumber(OPTION_RANGES.connectionsPerHost),
      OPTION_RANGES.connectionsPerHost.max,
    ),
    maxOpenBatches: read('DOWNBURST_MAX_OPEN_BATCHES', wholeNumber(OPEN_BATCHES_RANGE), DEFAULT_MAX_OPEN_BATCHES),
    maxConcurrency: read('DOWNBURST_MAX_CONCURRENCY', wholeNumber(CONCURRENCY_RANGE), DEFAULT_CONCURRENCY),
    workerMemoryMb: read('DOWNBURST_WORKER_MEMORY_MB', wholeNumber(WORKER_MEMORY_MB_RANGE), WORKER_MB),
    allowedNetworks: read('DOWNBURST_ALLOWED_NETWORKS', parseAllowedNetworks, []),
  };
  if (problems.length > 0) throw new ConfigError(problems);
  return config as AwsConfig;
}

function parsePrefix(text: string): string {
  const problem = prefixProblem(text);
  if (problem !== undefined) throw new Error(problem);
  return text;
}

/** CloudWatch takes ASCII only, and drops a metric with anything else. */
function parseDimension(text: string): string {
  if (!/^[!-~]{1,255}$/.test(text)) throw new Error(`needs 1 to 255 visible ASCII characters, not '${text}'`);
  return text;
}

function parseUrl(text: string): string {
  if (!/^https?:$/.test(URL.parse(text)?.protocol ?? '')) throw new Error('is no URL');
  return text;
}

function wholeNumber({ min, max }: { min: number; max: number }): (text: string) => number {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    throw new Error(`needs a whole number from ${min} to ${max}, not '${text}'`);
  };
}

function parseAllowedNetworks(text: string): Network[] {
  const cidrs = text.split(',').map((item) => item.trim());
  const [problem] = cidrs.flatMap((cidr) => networkProblem(cidr) ?? []);
  if (problem !== undefined) throw new Error(problem);
  return parseNetworks(cidrs);
}
