import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** A network in parsed CIDR notation: its address and the length of its prefix. */
export type Network = [ipaddr.IPv4 | ipaddr.IPv6, number];

/** All of IPv6 that is given out for the public Internet. */
const GLOBAL_IPV6 = ipaddr.parseCIDR('2000::/3');

/** Parses networks such as `10.0.0.0/8` or `fd00::/8`. Throws an Error for anything else. */
export function parseNetworks(cidrs: readonly string[]): Network[] {
  return cidrs.map((cidr) => ipaddr.parseCIDR(cidr));
}

/** Whether a download may connect to this address: it is public unicast, or inside one of the allowed networks. */
export function isAllowedAddress(address: string, allowed: readonly Network[]): boolean {
  if (isIP(address) === 0) return false;
  const parsed = ipaddr.process(address); // an IPv4-mapped IPv6 address becomes the IPv4 address it stands for
  const isIn = (network: Network) => network[0].kind() === parsed.kind() && parsed.match(network);
  if (allowed.some(isIn)) return true;
  return parsed.range() === 'unicast' && (parsed.kind() === 'ipv4' || isIn(GLOBAL_IPV6));
}
