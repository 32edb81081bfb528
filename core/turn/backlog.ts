import { remove } from '../model/arrays.ts';
import { sourceOf } from '../model/entry.ts';
import { MAX_WAITING, MAX_WAITING_BYTES } from '../model/limits.ts';
import type { ManifestReader } from '../plan/manifest.ts';
import type { Host, Hosts } from './hosts.ts';
import type { Aside, WaitingEntry, WaitingList } from './waiting.ts';

/** Bytes of the manifest read at once at the cursor, and in each set-aside range. */
const CURSOR_BLOCK_BYTES = 256 * 1024;
const ASIDE_BLOCK_BYTES = 32 * 1024;

/** What one host has to do behind the cursor. */
interface HostWork {
  host: Host;
  /** By due time. */
  entries: WaitingEntry[];
  aside: (ManifestReader & { to: number })[];
}

export type Backlog = ReturnType<typeof createBacklog>;

/**
 * Everything of a shard that is not under way: waiting entries, set-aside ranges and what lies at the cursor. Entries
 * come out in an order that holds nobody up: a host that can take no connection now is set aside.
 */
export function createBacklog(deps: {
  now: () => number;
  hosts: Hosts;
  /** The shard's hosts get so many connections each. */
  connectionsPerHost: number;
  shard: { cursor: number; to: number; hosts: number };
  list: WaitingList;
  open: (range: { from: number; to: number }, blockBytes: number) => ManifestReader;
  /** Whether entries that lead into other shards' hosts may be worked. */
  abroad: boolean;
}) {
  const { now, hosts, connectionsPerHost, shard, list } = deps;
  const works = new Map<string, HostWork>();
  let abroad: WaitingEntry[] = [];
  let takesAbroad = deps.abroad;
  const fresh = deps.open({ from: shard.cursor, to: shard.to }, CURSOR_BLOCK_BYTES);
  /** Entries that were taken and neither settled nor put back. */
  const taken: WaitingEntry[] = [];
  /** As they were counted when they came in. */
  const counted = new WeakMap<WaitingEntry, number>();
  /** The host that the cursor is in the middle of, perhaps. */
  let cursorHost: string | undefined;
  let waiting = 0;
  let waitingBytes = 0;
  let asides = 0;

  // A host may have no work here now; its faults are remembered all the same, for redirects and for the cursor.
  for (const host of list.hosts) hosts.get(host.host, host.guest === true ? 1 : connectionsPerHost, host);
  for (const aside of list.aside) setAside(aside);
  for (const entry of list.entries) putBack(entry);

  function hostNamed(name: string): Host {
    return hosts.get(name, connectionsPerHost);
  }

  function workOf(name: string): HostWork {
    let work = works.get(name);
    if (!work) {
      work = { host: hostNamed(name), entries: [], aside: [] };
      works.set(name, work);
    }
    return work;
  }

  function setAside({ host, from, to }: Aside): void {
    const reader = deps.open({ from, to }, ASIDE_BLOCK_BYTES);
    workOf(host).aside.push(Object.assign(reader, { to }));
    asides += 1;
  }

  function dropAside(work: HostWork): void {
    work.aside.shift();
    asides -= 1;
  }

  /** Takes an entry in, again or from an earlier turn. */
  function putBack(entry: WaitingEntry): void {
    remove(taken, entry);
    const size = JSON.stringify(entry.entry).length + (entry.partial ? JSON.stringify(entry.partial).length : 0);
    counted.set(entry, size);
    waiting += 1;
    waitingBytes += size;
    if (entry.abroad === true && !takesAbroad) {
      abroad.push(entry);
      return;
    }
    const { entries } = workOf(sourceOf(entry.entry));
    let at = entries.length;
    while (at > 0 && (entries[at - 1]?.dueAt ?? 0) > entry.dueAt) at -= 1;
    entries.splice(at, 0, entry);
  }

  function removed(entry: WaitingEntry): WaitingEntry {
    waiting -= 1;
    waitingBytes -= counted.get(entry) ?? 0;
    taken.push(entry);
    return entry;
  }

  const isEmpty = () => taken.length === 0 && waiting === 0 && asides === 0 && fresh.offset === shard.to;
  const full = () => waiting + asides >= MAX_WAITING || waitingBytes >= MAX_WAITING_BYTES;

  /**
   * The next entry to be worked now, and taken out; `undefined` if there is none now.
   *
   * @param wanted what may be taken of a host now: `true` for anything, `'due'` for what is due, `false` for nothing
   */
  async function take(wanted: (host: Host) => boolean | 'due'): Promise<WaitingEntry | undefined> {
    for (const [name, work] of works) {
      const may = wanted(work.host);
      const first = work.entries[0];
      if (first && (may === true || (may === 'due' && first.dueAt <= now()))) {
        work.entries.shift();
        return removed(first);
      }
      while (may !== false && work.aside[0]) {
        const reader = work.aside[0];
        const line = await reader.peek();
        // While it was read the host may have been parked.
        if (line && wanted(work.host) !== false) {
          reader.skip();
          if (reader.offset === reader.to) dropAside(work);
          return startOf(line);
        }
        if (line) break;
        dropAside(work);
      }
      if (work.entries.length === 0 && work.aside.length === 0) works.delete(name);
    }

    for (;;) {
      const line = full() ? undefined : await fresh.peek();
      if (!line) return undefined;
      const host = hostNamed(sourceOf(line.entry));
      cursorHost = host.name;
      if (wanted(host) !== false) {
        fresh.skip();
        return startOf(line);
      }
      if (shard.hosts === 1) return undefined;
      await passBy(host.name);
    }
  }

  /** An entry's first start. */
  function startOf({ entry }: Pick<WaitingEntry, 'entry'>): WaitingEntry {
    const start: WaitingEntry = { entry, attempts: 0, hostFaults: 0, dueAt: 0 };
    taken.push(start);
    return start;
  }

  /** Moves the cursor past the rest of a host's run. */
  async function passBy(name: string): Promise<void> {
    const from = fresh.offset;
    for (;;) {
      const line = await fresh.peek();
      if (!line || sourceOf(line.entry) !== name) break;
      fresh.skip();
    }
    setAside({ host: name, from, to: fresh.offset });
  }

  /** When, parks and due times considered, something can be taken; `Infinity` if nothing is left or all leads abroad. */
  async function nextAt(): Promise<number> {
    let next = Infinity;
    for (const { host, entries, aside } of works.values()) {
      if (aside.length > 0) next = Math.min(next, hosts.freeAt(host));
      else if (entries[0]) next = Math.min(next, Math.max(entries[0].dueAt, hosts.freeAt(host)));
    }
    const line = full() ? undefined : await fresh.peek();
    return line ? Math.min(next, hosts.freeAt(hostNamed(sourceOf(line.entry)))) : next;
  }

  /** Cursor and waiting list as they are now; entries that are under way wait, as far as a later turn is concerned. */
  function snapshot(): { cursor: number; list: WaitingList } {
    const entries = [...taken, ...abroad];
    const aside: Aside[] = [];
    for (const [host, work] of works) {
      entries.push(...work.entries);
      for (const { offset, to } of work.aside) aside.push({ host, from: offset, to });
    }
    const needed = new Set([...entries.map(({ entry }) => sourceOf(entry)), ...aside.map(({ host }) => host)]);
    if (cursorHost !== undefined && fresh.offset < shard.to) needed.add(cursorHost);
    // Copies: what becomes of an entry later is not of this moment.
    const copies = entries.map((entry) => ({ ...entry }));
    return {
      cursor: fresh.offset,
      list: { entries: copies, aside, hosts: isEmpty() ? [] : hosts.snapshot(needed) },
    };
  }

  return {
    take,
    putBack,
    nextAt,
    snapshot,
    /** Forgets an entry that was taken: it has its outcome. */
    settled: (entry: WaitingEntry) => remove(taken, entry),
    /** From now on, entries that lead into other shards' hosts are taken like any other. */
    takeAbroad(): void {
      takesAbroad = true;
      const entries = abroad;
      abroad = [];
      for (const entry of entries) putBack(removed(entry));
    },
    isEmpty,
  };
}
