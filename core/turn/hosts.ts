import type { GiveBack } from '../download/downloader.ts';
import { DownloadError, FAILURES, type FailureCode } from '../model/failure.ts';
import {
  FIRST_CONNECTIONS,
  FIRST_GROWTH,
  FIRST_SHARE,
  HOST_FAULTS_PER_ATTEMPT,
  LINGER_MS,
  REGROWTH,
  START_SLACK_MS,
} from '../model/limits.ts';
import { begun, createPace, refused, taken, type Pace } from './pace.ts';
import { hostRetryAt } from './retry.ts';
import type { HostFault, WaitingHost } from './waiting.ts';

/** Time-outs of a source that answers at all: it gets fewer connections. */
export const SLOW: readonly FailureCode[] = ['HEADERS_TIMEOUT', 'IDLE_TIMEOUT', 'TOO_SLOW'];

/** A source host as a turn sees it. */
export interface Host {
  readonly name: string;
  /** The most connections that this shard may have to it. */
  max: number;
  /** This shard's part of what all of them together may ask of it. */
  share: number;
  /** Not one of the shard's own: only redirects lead to it. */
  guest: boolean;
  /** How many it may have now: found by growing with success and halving with faults. Not whole. */
  limit: number;
  open: number;
  /** Connections that helpers have: they count in `max` alone, since nobody here can have them make way. */
  away: number;
  /** Counted faults; an attempt speaks for or against its host only if nothing was counted since it began. */
  round: number;
  /** Counted faults in a row. More than none: the host is probed, one connection at a time. */
  failures: number;
  /** The same, but a refusal (429) counts in part: `maxFailures` of them give the host up. */
  strikes: number;
  parkedUntil: number;
  /** Given up. */
  down: HostFault | undefined;
  pace: Pace;
  /** By the pace, and by the user's limit. */
  nextStartAt: number;
  /** Whether it ever refused or failed, so that its limit is worth remembering. */
  faulted: boolean;
  /** Redirects that wait for a slot, first come first served, before any new entry. */
  queue: { enter: (slot: Slot) => void; refuse: (error: Error) => void }[];
}

/** A connection's place at a host. */
export interface Slot {
  readonly host: Host;
  readonly round: number;
}

/** The host that a redirect leads to is parked: come back then. */
export class HostParked extends Error {
  readonly until: number;

  constructor(until: number) {
    super('The host that a redirect leads to is parked.');
    this.name = 'HostParked';
    this.until = until;
  }
}

export type Hosts = ReturnType<typeof createHosts>;

/**
 * Limits, parks and gives up hosts.
 *
 * @param deps.maxFailures faults in a row that give a host up
 * @param deps.connectionsPerHost connections to a host, of all shards together
 * @param deps.requestsPerSecondPerHost starts per second and host, of all shards together; unlimited if left out
 */
export function createHosts(deps: {
  now: () => number;
  random: () => number;
  maxFailures: number;
  connectionsPerHost: number;
  requestsPerSecondPerHost?: number | undefined;
}) {
  const { now, random, maxFailures, connectionsPerHost, requestsPerSecondPerHost = Infinity } = deps;
  const firstConnections = Math.max(FIRST_CONNECTIONS, connectionsPerHost * FIRST_SHARE);
  const hosts = new Map<string, Host>();

  function get(name: string, max: number, known?: WaitingHost): Host {
    let host = hosts.get(name);
    if (!host) {
      const share = max / connectionsPerHost;
      host = {
        name,
        max,
        share,
        guest: known?.guest === true,
        limit: Math.min(max, known?.limit ?? Math.max(1, firstConnections * share)),
        open: 0,
        away: 0,
        round: 0,
        failures: known?.failures ?? 0,
        strikes: known?.strikes ?? 0,
        parkedUntil: known?.parkedUntil ?? 0,
        down: known?.down,
        pace: createPace(now(), known?.pace),
        nextStartAt: 0,
        faulted: known !== undefined,
        queue: [],
      };
      hosts.set(name, host);
    }
    return host;
  }

  /**
   * A host that only redirects lead to, with `max` connections and a share of its rate; one of the shard's own stays
   * what it is.
   */
  function getGuest(name: string, max: number, share: number): Host {
    const known = hosts.get(name);
    const host = known ?? get(name, max);
    if (!known) host.guest = true;
    if (host.guest) Object.assign(host, { max, share });
    return host;
  }

  /** When the host's park and pace let it be asked again; whole milliseconds, as records and queues take them. */
  function freeAt(host: Host): number {
    return Math.ceil(Math.max(host.parkedUntil, host.nextStartAt));
  }

  function hasRoom(host: Host): boolean {
    const most = host.failures > 0 ? 1 : Math.max(1, Math.floor(host.limit));
    return host.open < most && host.open + host.away < host.max && freeAt(host) <= now();
  }

  /** Whether an entry may be started at the host now. */
  function mayStart(host: Host): boolean {
    return host.queue.length === 0 && host.down === undefined && hasRoom(host);
  }

  /**
   * Whether a file that has a connection to the host may have another one; `lent` are lent already. What flows is not
   * asked to make way: found limits are of connections that are opened anew, or else a stream of hours would keep a host
   * that failed once from ever being probed.
   */
  function mayLend(host: Host, lent: number): boolean {
    const most = host.failures > 0 ? 1 : Math.max(1, Math.floor(host.limit));
    const isFree = host.queue.length === 0 && host.down === undefined && freeAt(host) <= now();
    return isFree && lent < most && host.open + host.away < host.max;
  }

  function open(host: Host): Slot {
    host.open += 1;
    if (host.open === 1) host.pace = begun(host.pace, now());
    const perSecond = Math.min(host.pace.perSecond, host.share * requestsPerSecondPerHost);
    const isLate = now() - host.nextStartAt > START_SLACK_MS;
    host.nextStartAt = (isLate ? now() : host.nextStartAt) + 1000 / perSecond;
    return { host, round: host.round };
  }

  /** Gives a slot back. */
  function close(slot: Slot): void {
    slot.host.open -= 1;
    serve(slot.host);
  }

  function serve(host: Host): void {
    while (host.queue.length > 0 && hasRoom(host)) host.queue.shift()?.enter(open(host));
  }

  /** Leaves so many connections to a helper; answers how they are given back, and with what news of the host. */
  function sendAway(host: Host, connections: number): GiveBack {
    const { round } = host;
    host.away += connections;
    return (fault) => {
      host.away -= connections;
      if (fault && FAILURES[fault.code].verdict === 'host') faulted({ host, round }, fault);
      serve(host);
    };
  }

  /** A slot for a redirect; waits for one. Throws `HostParked`, `HOST_DOWN`, the signal's reason. */
  async function enter(host: Host, signal: AbortSignal): Promise<Slot> {
    signal.throwIfAborted();
    if (host.down) throw hostDown(host.down);
    if (host.parkedUntil > now()) throw new HostParked(host.parkedUntil);
    if (mayStart(host)) return open(host);
    const { promise, resolve, reject } = Promise.withResolvers<Slot>();
    const waiter = { enter: resolve, refuse: reject };
    host.queue.push(waiter);
    const leave = () => {
      host.queue = host.queue.filter((other) => other !== waiter);
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', leave);
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  /** The host answered: its faults are over, and it may have more. */
  function succeeded({ host, round }: Slot): void {
    if (round !== host.round) return;
    host.failures = 0;
    host.strikes = 0;
    host.pace = taken(host.pace, now());
    host.limit = Math.min(host.max, host.limit + (host.faulted ? host.limit * REGROWTH : FIRST_GROWTH));
    serve(host);
  }

  /** The host was slow: it gets fewer connections, but is not parked. */
  function slowed({ host, round }: Slot): void {
    if (round !== host.round) return;
    host.round += 1;
    host.faulted = true;
    host.limit = Math.max(1, host.limit / 2);
  }

  /** The host failed: it is parked, and given up after too many failures in a row. */
  function faulted({ host, round }: Slot, error: DownloadError): void {
    const retryAt = hostRetryAt(error, host.failures + 1, now(), random);
    // Of faults of attempts that were under way together only the first counts, but every Retry-After is obeyed.
    if (round === host.round || error.retryAt !== undefined) host.parkedUntil = Math.max(host.parkedUntil, retryAt);
    if (round === host.round) {
      // A probe that is refused tells nothing new of the pace: others may have all that the host gives.
      if (error.code === 'RATE_LIMITED' && host.failures === 0) host.pace = refused(host.pace, now());
      host.round += 1;
      host.faulted = true;
      host.failures += 1;
      host.strikes += error.code === 'RATE_LIMITED' ? 1 / HOST_FAULTS_PER_ATTEMPT : 1;
      host.limit = Math.max(1, host.limit / 2);
      if (host.strikes >= maxFailures) {
        host.down = { code: error.code, message: error.message, httpStatus: error.httpStatus };
      }
    }
    const refusal = host.down ? hostDown(host.down) : new HostParked(host.parkedUntil);
    for (const waiter of host.queue.splice(0)) waiter.refuse(refusal);
  }

  /** Lets waiting redirects in whose host's rate limit has passed; answers when the next one can be. */
  function serveAll(): number {
    let next = Infinity;
    for (const host of hosts.values()) {
      serve(host);
      if (host.queue.length > 0 && freeAt(host) > now()) next = Math.min(next, freeAt(host));
    }
    return next;
  }

  /**
   * What the next turn has to know while the shard has work: the hosts that faulted or must wait. Without need of a host
   * only its park is known, since a redirect or the cursor may lead there, and all of those that only redirects lead to.
   */
  function snapshot(needed: ReadonlySet<string>): WaitingHost[] {
    const known: WaitingHost[] = [];
    for (const host of hosts.values()) {
      const { name, guest, limit, pace, failures, strikes, down, faulted } = host;
      const isParked = freeAt(host) > now() + LINGER_MS;
      if (!isParked && !(faulted && (guest || needed.has(name)))) continue;
      known.push({
        host: name,
        limit,
        failures,
        strikes,
        parkedUntil: freeAt(host),
        ...(pace.perSecond < Infinity && { pace: pace.perSecond }),
        ...(down && { down }),
        ...(guest && { guest }),
      });
    }
    return known;
  }

  /** Whether a host is known as one of the shard's own. */
  const isOwn = (name: string) => hosts.get(name)?.guest === false;

  return {
    get,
    getGuest,
    isOwn,
    freeAt,
    mayStart,
    mayLend,
    open,
    close,
    sendAway,
    enter,
    succeeded,
    slowed,
    faulted,
    serveAll,
    snapshot,
  };
}

/** The error of an entry whose host was given up. */
export function hostDown(fault: HostFault): DownloadError {
  return new DownloadError('HOST_DOWN', `The host was given up; its last fault: ${fault.code}, ${fault.message}`, {
    httpStatus: fault.httpStatus,
  });
}
