import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { DownloadError, FAILURES } from '../model/failure.ts';
import { isIn, specialUse } from './special-addresses.ts';

/** A network in parsed CIDR notation: its address and the length of its prefix. */
export type Network = [ipaddr.IPv4 | ipaddr.IPv6, number];

/** Parses networks such as `10.0.0.0/8` or `fd00::/8`. Throws an Error for anything else. */
export function parseNetworks(cidrs: readonly string[]): Network[] {
  return cidrs.map((cidr) => ipaddr.parseCIDR(cidr));
}

/**
 * Why a download may not connect to an address, told by what the address is for; `undefined` if it may: it is public
 * unicast, or inside one of the allowed networks.
 */
export function addressProblem(address: string, allowed: readonly Network[]): DownloadError | undefined {
  const why = isIP(address) === 0 ? 'no address' : specialUseUnless(allowed, address);
  return why === undefined
    ? undefined
    : new DownloadError('BLOCKED_ADDRESS', `${FAILURES.BLOCKED_ADDRESS.meaning} (${why})`);
}

function specialUseUnless(allowed: readonly Network[], address: string): string | undefined {
  const parsed = parse(address);
  return allowed.some((network) => isIn(parsed, network)) ? undefined : specialUse(parsed);
}

/** An address as it is connected to: an IPv4-mapped one is the IPv4 address that it stands for. */
function parse(address: string): Network[0] {
  if (isIP(address) === 4) return ipaddr.IPv4.parse(address);
  // The library takes `::1.2.3.4`, as resolvers write it, for `::ffff:1.2.3.4`; the URL parser makes it all hex.
  const { hostname } = new URL(`http://[${address.replace(/%.*$/, '')}]`);
  return ipaddr.process(hostname.slice(1, -1));
}
