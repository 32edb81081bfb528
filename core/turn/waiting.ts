import type { Entry } from '../model/entry.ts';
import type { FailureCode } from '../model/failure.ts';
import type { PartialFile } from '../model/partial-file.ts';

/** A started entry without an outcome: to be tried again, or under way at a checkpoint. */
export interface WaitingEntry {
  entry: Entry;
  /** Attempts that ended and are charged to the entry. */
  attempts: number;
  /** Attempts that ended by a fault of the host. */
  hostFaults: number;
  /** Attempts that ended too, but got further than any before, and are not charged. */
  advances?: number | undefined;
  /** Helpers that were asked for, ever: names are used once. */
  helped?: number | undefined;
  /** What is in the store already. */
  partial?: PartialFile | undefined;
  /** The file was begun anew before, since its source had another version of it. */
  wasChanged?: boolean | undefined;
  /** Not before this time; its host may have it wait longer. */
  dueAt: number;
  /** Workers that died while they had nothing but this entry. */
  kills?: number | undefined;
  /** A redirect leads into a host that another shard works; it waits until the planned work is over. */
  abroad?: boolean | undefined;
}

/** What a turn has learned of a host and the next one has to know. */
export interface WaitingHost {
  host: string;
  /** Only redirects lead to it. */
  guest?: boolean | undefined;
  limit: number;
  /** Requests begun per second, if it has refused any. */
  pace?: number | undefined;
  failures: number;
  strikes: number;
  /** By its park or its pace. */
  parkedUntil: number;
  /** Why it was given up, if it was. */
  down?: HostFault | undefined;
}

export interface HostFault {
  code: FailureCode;
  message: string;
  httpStatus?: number | undefined;
}

/** The unstarted rest of a host's run of the manifest, behind the cursor. */
export interface Aside {
  host: string;
  from: number;
  to: number;
}

/** A worker that was asked to fetch parts of an entry's file, and is not known to have ended. */
export interface WaitingHelper {
  /** Of the entry; and which of all its helpers it is, counted from 1. */
  index: number;
  n: number;
  /** The parts, by number, and what they belong to. */
  first: number;
  last: number;
  uploadId: string;
  /** Where it has connections of this shard, and how many. */
  host: string;
  connections: number;
}

/** Everything a shard has open at a checkpoint besides its cursor. */
export interface WaitingList {
  entries: WaitingEntry[];
  hosts: WaitingHost[];
  aside: Aside[];
  /** Of one entry all of them. */
  helpers?: WaitingHelper[] | undefined;
  /** Index of the entry that a careful turn is about to start with nothing else under way. */
  alone?: number | undefined;
}

export function emptyWaitingList(): WaitingList {
  return { entries: [], hosts: [], aside: [] };
}

export function isEmpty({ entries, hosts, aside, helpers = [] }: WaitingList): boolean {
  return entries.length + hosts.length + aside.length + helpers.length === 0;
}
