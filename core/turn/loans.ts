import type { GiveBack, Loan } from '../download/downloader.ts';
import { FAILURES } from '../model/failure.ts';
import { SLOW, type Host, type Hosts } from './hosts.ts';

export type Loans = ReturnType<typeof createLoans>;

/**
 * Lends the connections that no entry has a use for to files that are fetched over several. One is lent for one request:
 * an entry that comes to be due waits for no more than a part of a file.
 */
export function createLoans(deps: {
  hosts: Hosts;
  now: () => number;
  /** Finds a host by its name, as a redirect to it does. */
  find: (name: string) => Promise<Host>;
  /** Called when somebody wishes for a connection, and when one is given back. */
  changed: () => void;
}) {
  const { hosts, now } = deps;
  /** First come, first served; each comes again for its next part. */
  const wishes = new Set<{ host: Host; grant: (loan: Loan) => void }>();
  const lent = new Map<Host, number>();
  let count = 0;

  const lentOf = (host: Host) => lent.get(host) ?? 0;

  async function borrow(name: string, signal: AbortSignal): Promise<Loan> {
    signal.throwIfAborted();
    const host = await deps.find(name);
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Loan>();
    const wish = { host, grant: resolve };
    const leave = () => {
      if (wishes.delete(wish)) reject(signal.reason as Error);
    };
    wishes.add(wish);
    signal.addEventListener('abort', leave, { once: true });
    deps.changed();
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  function lend(host: Host): Loan {
    const slot = hosts.open(host);
    lent.set(host, lentOf(host) + 1);
    count += 1;
    let isOut = true;
    function drop(): void {
      if (!isOut) return;
      isOut = false;
      lent.set(host, lentOf(host) - 1);
      count -= 1;
      hosts.close(slot);
      deps.changed();
    }
    const loan: Loan = {
      drop,
      end(failure) {
        if (!isOut) return;
        if (!failure) hosts.succeeded(slot);
        else if (FAILURES[failure.code].verdict === 'host') hosts.faulted(slot, failure);
        else if (SLOW.includes(failure.code)) hosts.slowed(slot);
        else if (failure.httpStatus !== undefined) hosts.succeeded(slot);
        drop();
      },
      handOver() {
        const bringHome = sendAway(host, 1);
        loan.end();
        return bringHome;
      },
    };
    return loan;
  }

  /** Leaves connections to a helper for as long as it is out; answers how they are given back. */
  function sendAway(host: Host, connections: number): GiveBack {
    const bringHome = hosts.sendAway(host, connections);
    count += connections;
    return (failure) => {
      count -= connections;
      bringHome(failure);
      deps.changed();
    };
  }

  return {
    borrow,
    sendAway,
    /** Lends up to so many connections. */
    serve(spare: number): void {
      for (const wish of wishes) {
        if (spare <= 0) return;
        if (!hosts.mayLend(wish.host, lentOf(wish.host))) continue;
        spare -= 1;
        wishes.delete(wish);
        wish.grant(lend(wish.host));
      }
    },
    /** When a host that somebody wishes for may be asked again, by its park and its pace; `Infinity` if that is not what is waited for. */
    nextAt(): number {
      const times = [...wishes].map(({ host }) => hosts.freeAt(host)).filter((at) => at > now());
      return Math.min(Infinity, ...times);
    },
    /** Connections that are lent now, to helpers and here. */
    get count() {
      return count;
    },
  };
}
