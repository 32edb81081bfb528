import type { BatchRecord } from '../model/records.ts';
import type { HostCount } from '../plan/plan.ts';
import type { Ledger } from '../ports/ledger.ts';

/** Hosts that a batch's record names, and bytes of them together: a record has at most 1 KB. */
const MAX_HOSTS = 3;
const MAX_BYTES = 120;

/** The hosts with the most entries, as far as a batch's record can name them. */
export function topHosts(hosts: Iterable<HostCount>): Record<string, number> {
  const largest: HostCount[] = [];
  for (const host of hosts) {
    largest.push(host);
    if (largest.length > MAX_HOSTS) drop(largest);
  }
  largest.sort((a, b) => b.entries - a.entries);
  let bytes = 0;
  const short = largest.filter(({ host }) => (bytes += Buffer.byteLength(host)) <= MAX_BYTES);
  return Object.fromEntries(short.map(({ host, entries }) => [host, entries]));
}

/** Takes the one with the fewest entries out, of several the last. */
function drop(hosts: HostCount[]): void {
  let least = 0;
  hosts.forEach(({ entries }, i) => {
    if (entries <= (hosts[least]?.entries ?? 0)) least = i;
  });
  hosts.splice(least, 1);
}

/**
 * Which of a new batch's top hosts another open batch has among its own, each with that batch's id. It is looked up
 * once, when the batch is submitted: a status stays one query of one batch.
 */
export async function findSharedHosts(
  ledger: Pick<Ledger, 'listOpen' | 'getBatch'>,
  top: Record<string, number>,
): Promise<Record<string, string>> {
  const batches = await Promise.all((await ledger.listOpen()).map((id) => ledger.getBatch(id)));
  const shared: Record<string, string> = {};
  for (const batch of batches.filter(isWorked)) {
    for (const host of Object.keys(batch.topHosts ?? {})) if (host in top) shared[host] = batch.id;
  }
  return shared;
}

function isWorked(batch: BatchRecord | undefined): batch is BatchRecord {
  return batch !== undefined && batch.closedAt === undefined && batch.state !== 'cancelling';
}
