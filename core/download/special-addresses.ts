import ipaddr from 'ipaddr.js';
import type { Network } from './address-guard.ts';

/**
 * Addresses at which no public server is, and what they are for: IANA's special-purpose registries of IPv4 and IPv6
 * (RFC 6890 and its updates; both as last updated on 2025-10-09) whole, also what is reachable there, with multicast,
 * and what IPv6 once had for IPv4 (RFC 4291, section 2.5.5.1; RFC 2765) and for sites (RFC 3879). Narrow ones come before
 * those that they are part of.
 */
const SPECIAL: readonly (readonly [name: string, ...cidrs: string[]])[] = [
  ["Lambda's runtime API", '169.254.100.1/32'],
  ['a metadata service', '169.254.169.254/32', '169.254.170.2/32', '169.254.170.23/32', 'fd00:ec2::/32'],
  ['this network', '0.0.0.0/8', '::/128'],
  ['loopback', '127.0.0.0/8', '::1/128'],
  ['link-local', '169.254.0.0/16', 'fe80::/10'],
  ['private', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7', 'fec0::/10'],
  ['shared with a carrier', '100.64.0.0/10'],
  ['documentation', '192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24', '2001:db8::/32', '3fff::/20'],
  ['benchmarking', '198.18.0.0/15', '2001:2::/48'],
  ['AS112', '192.31.196.0/24', '192.175.48.0/24', '2001:4:112::/48', '2620:4f:8000::/48'],
  ['AMT', '192.52.193.0/24', '2001:3::/32'],
  ['6a44', '192.88.99.2/32'],
  ['6to4', '192.88.99.0/24', '2002::/16'],
  ['Teredo', '2001::/32'],
  ['ORCHID', '2001:10::/28', '2001:20::/28'],
  ['drone identifiers', '2001:30::/28'],
  ['dummy', '192.0.0.8/32', '100:0:0:1::/64'],
  ['protocol assignments', '192.0.0.0/24', '2001::/23'],
  ['NAT64', '64:ff9b::/96', '64:ff9b:1::/48'],
  ['IPv4-compatible', '::/96'],
  ['IPv4-mapped', '::ffff:0:0/96'],
  ['IPv4-translated', '::ffff:0:0:0/96'],
  ['discard', '100::/64'],
  ['segment routing', '5f00::/16'],
  ['multicast', '224.0.0.0/4', 'ff00::/8'],
  ['broadcast', '255.255.255.255/32'],
  ['reserved', '240.0.0.0/4'],
];

const NETWORKS = SPECIAL.map(([name, ...cidrs]) => ({ name, networks: cidrs.map((cidr) => ipaddr.parseCIDR(cidr)) }));

/** All of IPv6 that is given out for the public Internet. */
const GLOBAL_IPV6 = ipaddr.parseCIDR('2000::/3');

/** Whether an address is in a network of its own kind. */
export function isIn(address: ipaddr.IPv4 | ipaddr.IPv6, network: Network): boolean {
  return network[0].kind() === address.kind() && address.match(network);
}

/** What an address is for, if it is not public unicast. */
export function specialUse(address: ipaddr.IPv4 | ipaddr.IPv6): string | undefined {
  const known = NETWORKS.find(({ networks }) => networks.some((network) => isIn(address, network)));
  if (known) return known.name;
  // What was registered since, if the library knows of it.
  if (address.range() !== 'unicast') return 'reserved';
  return address.kind() === 'ipv4' || isIn(address, GLOBAL_IPV6) ? undefined : 'not given out';
}
