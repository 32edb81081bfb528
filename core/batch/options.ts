import { InvalidOptionError } from '../model/errors.ts';
import { MAX_PREFIX_BYTES } from '../model/limits.ts';
import { DEFAULT_OPTIONS, type BatchOptions, type Timeouts } from '../model/options.ts';
import { keyProblem, templateProblem } from '../plan/keys.ts';
import type { DeploymentLimits } from './service.ts';

/** Options as a user gives them; numbers within `OPTION_RANGES`. */
export type UserOptions = Partial<Omit<BatchOptions, 'ownPrefix' | 'timeouts' | 'lowSpeed'>> & {
  timeouts?: Partial<Timeouts> | undefined;
  lowSpeed?: Partial<BatchOptions['lowSpeed']> | undefined;
};

/**
 * A batch's options with defaults filled in.
 *
 * @throws InvalidOptionError for what a schema cannot know
 */
export function resolveOptions(given: UserOptions, batchId: string, limits: DeploymentLimits): BatchOptions {
  const { timeouts, lowSpeed, ...rest } = given;
  const options: BatchOptions = {
    ...DEFAULT_OPTIONS,
    prefix: `${batchId}/`,
    connectionsPerHost: Math.min(DEFAULT_OPTIONS.connectionsPerHost, limits.maxConnectionsPerHost),
    ...(limits.maxTotalBytes !== undefined && { maxTotalBytes: limits.maxTotalBytes }),
    ...rest,
    ownPrefix: given.prefix === undefined,
    timeouts: { ...DEFAULT_OPTIONS.timeouts, ...timeouts },
    lowSpeed: { ...DEFAULT_OPTIONS.lowSpeed, ...lowSpeed },
  };
  if (options.connectionsPerHost > limits.maxConnectionsPerHost) {
    throw new InvalidOptionError('connectionsPerHost', `at most ${limits.maxConnectionsPerHost} are allowed here`);
  }
  const problem = prefixProblem(options.prefix);
  if (problem !== undefined) throw new InvalidOptionError('prefix', problem);
  const bad = options.keyTemplate === undefined ? undefined : templateProblem(options.keyTemplate);
  if (bad !== undefined) throw new InvalidOptionError('keyTemplate', bad);
  return options;
}

/** A prefix is empty or whole folders: `a/b/`. */
function prefixProblem(prefix: string): string | undefined {
  if (prefix === '') return undefined;
  if (!prefix.endsWith('/')) return 'does not end with /';
  if (prefix.normalize('NFC') !== prefix) return 'is not in Unicode normal form C';
  if (Buffer.byteLength(prefix) > MAX_PREFIX_BYTES) return `has more than ${MAX_PREFIX_BYTES} bytes`;
  return keyProblem(prefix.slice(0, -1));
}
