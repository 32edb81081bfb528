import type { LookupAddress } from 'node:dns';
import { isIP } from 'node:net';
import { DownloadError } from '../model/failure.ts';
import { DNS_CACHE_ENTRIES, DNS_CACHE_MS } from '../model/limits.ts';
import type { Clock } from '../ports/clock.ts';
import { addressProblem, type Network } from './address-guard.ts';
import { toDownloadError } from './translate.ts';

/** All addresses of a host name, like `dns.promises.lookup(name, { all: true })`, whose errors it throws. */
export type Resolver = (hostname: string) => Promise<readonly LookupAddress[]>;

export interface HostAddressesDeps {
  resolve: Resolver;
  clock: Clock;
  allowedNetworks: readonly Network[];
}

/**
 * The addresses at which a host (a name or an IP literal, without brackets) may be connected to; all of them were
 * checked; at once where they are known. Errors: `DownloadError` with `UNKNOWN_HOST`, `DNS_FAILED` or `BLOCKED_ADDRESS`.
 */
export type HostAddresses = (hostname: string) => Promise<readonly LookupAddress[]> | readonly LookupAddress[];

interface Cached {
  answer: ReturnType<HostAddresses>;
  until: number;
}

/** Looks hosts up. Callers share a look-up that is under way, and its answer for a minute; a passing failure is not kept. */
export function createHostAddresses({ resolve, clock, allowedNetworks }: HostAddressesDeps): HostAddresses {
  const cache = new Map<string, Cached>();

  /** One forbidden address forbids the host: a name that is both public and private is an attack or a mistake. */
  function check(addresses: readonly LookupAddress[]): readonly LookupAddress[] {
    for (const { address } of addresses) {
      const problem = addressProblem(address, allowedNetworks);
      if (problem) throw problem;
    }
    return addresses;
  }

  async function lookUp(hostname: string): Promise<readonly LookupAddress[]> {
    const family = isIP(hostname);
    if (family !== 0) return check([{ address: hostname, family }]);
    let addresses;
    try {
      addresses = await resolve(hostname);
    } catch (error) {
      throw toDownloadError(error, 'lookup');
    }
    if (addresses.length === 0) throw new DownloadError('UNKNOWN_HOST', 'the host name has no address');
    return check(addresses);
  }

  function remember(hostname: string, answer: Promise<readonly LookupAddress[]>): void {
    const now = clock.now();
    cache.delete(hostname); // so that the order of the map is the order in which answers expire
    for (const [oldest, { until }] of cache) {
      if (until > now && cache.size < DNS_CACHE_ENTRIES) break;
      cache.delete(oldest);
    }
    const entry: Cached = { answer, until: now + DNS_CACHE_MS };
    cache.set(hostname, entry);
    answer.then(
      (addresses) => {
        entry.answer = addresses;
      },
      (error: unknown) => {
        const passes = error instanceof DownloadError && error.code === 'DNS_FAILED';
        if (passes && cache.get(hostname) === entry) cache.delete(hostname);
      },
    );
  }

  return (hostname) => {
    const cached = cache.get(hostname);
    if (cached !== undefined && cached.until > clock.now()) return cached.answer;
    const answer = lookUp(hostname);
    remember(hostname, answer);
    return answer;
  };
}
