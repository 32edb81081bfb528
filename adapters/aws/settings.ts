import ipaddr from 'ipaddr.js';
import { parseNetworks, type Network } from '../../core/download/address-guard.ts';
import { MAX_PREFIX_BYTES } from '../../core/model/limits.ts';
import { keyProblem } from '../../core/plan/keys.ts';

// What a deployment may be set to: checked before it is deployed (infra/settings.ts), and by its functions (config.ts).

/** The sweeper looks at all of them, each minute, one after the other. */
export const OPEN_BATCHES_RANGE = { min: 1, max: 1000 };
/** Of the queue's event source, which is what bounds the workers. */
export const CONCURRENCY_RANGE = { min: 2, max: 1000 };
export const DEFAULT_CONCURRENCY = 100;
/** The process without bodies takes some 200 MB, and bodies their part of the rest (lambdas/worker.ts); Lambda's most. */
export const WORKER_MEMORY_MB_RANGE = { min: 1024, max: 10_240 };

/** Of every function's process. */
export const NODE_OPTIONS = '--enable-source-maps';
/**
 * Of a worker's. Half of V8's own young generation: with that 10,000 small files fill 290 MB with garbage before it is
 * swept, with half of it 200, in the same time.
 */
export const WORKER_NODE_OPTIONS = `${NODE_OPTIONS} --max-semi-space-size=8`;

/** A function's own machine and what AWS puts beside it: Lambda's runtime API, credentials, tracing, metadata. */
const OWN_MACHINE = parseNetworks([
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '::/127',
  'fe80::/10',
  'fd00:ec2::/32',
]);

/** Why keys cannot begin with `prefix`; `undefined` if they can: it is empty, or whole folders as `a/b/`. */
export function prefixProblem(prefix: string): string | undefined {
  if (prefix === '') return undefined;
  if (!prefix.endsWith('/')) return 'does not end with /';
  // A policy takes them for any characters, or for a variable: functions would be allowed more than the prefix.
  if (/[*?$]/.test(prefix)) return 'has a *, ? or $, which mean something else in a policy';
  const problem = keyProblem(prefix.slice(0, -1));
  if (problem !== undefined) return problem;
  // A batch's own prefix and a key made of a URL must still fit behind it, for the most part.
  return Buffer.byteLength(prefix) > MAX_PREFIX_BYTES ? `has more than ${MAX_PREFIX_BYTES} bytes` : undefined;
}

/** Why a network cannot be one of those that may be downloaded from although they are not public; `undefined` if it can. */
export function networkProblem(cidr: string): string | undefined {
  if (!ipaddr.isValidCIDR(cidr)) return `needs networks like 10.1.0.0/16, not '${cidr}'`;
  const [network] = parseNetworks([cidr]);
  return !network || OWN_MACHINE.some((own) => overlap(own, network))
    ? `must leave loopback, link-local and metadata addresses out, which '${cidr}' does not`
    : undefined;
}

function overlap([a, aBits]: Network, [b, bBits]: Network): boolean {
  return a.kind() === b.kind() && a.match(b, Math.min(aBits, bBits));
}
