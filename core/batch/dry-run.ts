import { NIL } from 'uuid';
import { costOf, type Cost } from '../cost/cost.ts';
import { ASSUMED, estimate } from '../cost/estimate.ts';
import { usageOf } from '../cost/usage.ts';
import { sourceOf, type Entry } from '../model/entry.ts';
import { InvalidOptionError } from '../model/errors.ts';
import { publicOptions, type PublicOptions } from '../model/options.ts';
import { collectEntries } from '../plan/collect.ts';
import type { EntryTable } from '../plan/entry-table.ts';
import { writeManifest } from '../plan/manifest.ts';
import { entryOf } from '../plan/manifest-line.ts';
import { plan, type ShardPlan } from '../plan/plan.ts';
import { resolveOptions } from './options.ts';
import type { Service } from './service.ts';
import type { ListSubmission, Submission } from './submit.ts';

/** How many hosts and keys a dry run shows. */
const SHOWN_HOSTS = 20;
const SHOWN_KEYS = 10;

/** What a submission would start. */
export interface DryRun {
  total: number;
  duplicates: number;
  hosts: { total: number; largest: { host: string; entries: number; connections: number }[] };
  shards: number;
  /** Of the first entries of the list, without the batch's prefix. */
  firstKeys: string[];
  options: PublicOptions;
  estimate: {
    seconds: number;
    bytes: number;
    /** What the numbers stand on, in words. */
    assumptions: string[];
    /** Where anything is paid for. */
    cost?: Cost | undefined;
  };
}

/**
 * Checks and plans a list as a submission does, and starts nothing: nothing is written.
 *
 * @throws InvalidListError, InvalidOptionError
 */
export async function dryRun(
  { limits, billing }: Pick<Service, 'limits' | 'billing'>,
  submission: Pick<Submission, 'items' | 'options'> | Pick<ListSubmission, 'list' | 'options'>,
): Promise<DryRun> {
  // It may take minutes to read, which nobody would wait for.
  if ('list' in submission) throw new InvalidOptionError('dryRun', 'is for lists in the body, not for uploaded ones');
  const options = resolveOptions(submission.options, NIL, limits);
  const table = await collectEntries(submission.items, options);
  const shards = plan(table.hosts, { ...limits, connectionsPerHost: options.connectionsPerHost });
  const { bytesOf, firstKeys, manifestBytes, sized } = await lookThrough(table, shards);

  const entriesOf = new Map([...table.hosts].map(({ host, entries }) => [host, entries]));
  const bytesPerFile = (host: string) => (bytesOf.get(host) ?? 0) / (entriesOf.get(host) ?? 1);
  const { maxTurns } = limits;
  const { seconds, work } = estimate({ shards, bytesPerFile, manifestBytes, options, maxTurns });
  return {
    total: table.total,
    duplicates: table.duplicates,
    hosts: { total: table.hostCount, largest: largestHosts(shards, entriesOf) },
    shards: shards.length,
    firstKeys,
    options: { ...publicOptions(options), ...(options.ownPrefix && { prefix: '{id}/' }) },
    estimate: {
      seconds,
      bytes: Math.round(work.bytes),
      assumptions: assumptions(table.total - sized, maxTurns),
      ...(billing && { cost: costOf(usageOf(work, billing.workerMb), billing.prices) }),
    },
  };
}

/** Reads all entries once, as the manifest would have them. */
async function lookThrough(table: EntryTable, shards: readonly ShardPlan[]) {
  const bytesOf = new Map<string, number>();
  let first: Entry[] = [];
  let sized = 0;
  function lookAt(entry: Entry): void {
    const host = sourceOf(entry);
    bytesOf.set(host, (bytesOf.get(host) ?? 0) + (entry.size ?? ASSUMED.fileBytes));
    if (entry.size !== undefined) sized += 1;
    if (first.length < SHOWN_KEYS || entry.index < (first.at(-1)?.index ?? 0)) {
      first = [...first, entry].sort((a, b) => a.index - b.index).slice(0, SHOWN_KEYS);
    }
  }

  const ranges = await writeManifest(
    (lines) => {
      for (const line of String(lines).split('\n').slice(0, -1)) lookAt(entryOf(line));
      return Promise.resolve();
    },
    shards,
    table,
  );
  return { bytesOf, sized, firstKeys: first.map(({ key }) => key), manifestBytes: ranges.at(-1)?.to ?? 0 };
}

function largestHosts(shards: readonly ShardPlan[], entriesOf: ReadonlyMap<string, number>) {
  const connectionsOf = new Map<string, number>();
  for (const shard of shards) {
    for (const { host, entries } of shard.segments) {
      const open = Math.min(entries, shard.connectionsPerHost, shard.connections);
      connectionsOf.set(host, (connectionsOf.get(host) ?? 0) + open);
    }
  }
  return [...entriesOf]
    .sort(([, a], [, b]) => b - a)
    .slice(0, SHOWN_HOSTS)
    .map(([host, entries]) => ({ host, entries, connections: connectionsOf.get(host) ?? 0 }));
}

function assumptions(unsized: number, maxTurns: number): string[] {
  const mib = (bytes: number) => `${bytes / 1024 ** 2} MiB`;
  return [
    `a source answers after ${ASSUMED.responseMs} ms, and sends ${mib(ASSUMED.bytesPerSecond)}/s per connection`,
    `a worker takes ${ASSUMED.workerBytesPerSecond / 1e6} MB/s, and at most ${maxTurns} work at once, for this batch alone`,
    ...(unsized > 0 ? [`${unsized} files without a given size have ${mib(ASSUMED.fileBytes)} each`] : []),
    'no request fails, and no file is there already',
  ];
}
