import { MAX_FRUITLESS_HELPERS } from '../model/limits.ts';
import type { Clock } from '../ports/clock.ts';
import type { Helper, HelpOrder, Helpers, Loan, Slice } from './downloader.ts';
import { helpWanted, type HelpSettings } from './help-wanted.ts';

/** The parts of a file, as those see them who have other workers fetch some. */
export interface SharedParts {
  /** How many nobody fetches. */
  free: () => number;
  /** How many are fetched here over lent connections. */
  lent: () => number;
  /** Takes up to so many, side by side; `undefined` if there are none. */
  take: (most: number) => Slice | undefined;
  /** Has those be fetched here that are not in the store; answers how many. */
  giveBack: (slice: Slice) => number;
}

export type SplitHelp = ReturnType<typeof createSplitHelp>;

/**
 * Has other workers fetch parts of a file, where one worker's bandwidth is the limit. A helper is sent once as many
 * requests have ended as it is to have connections: those are kept for it, and idle for no longer than a part takes.
 */
export function createSplitHelp(deps: {
  clock: Clock;
  /** Left out where nobody is asked: there may be some all the same, from an earlier turn. */
  settings: HelpSettings | undefined;
  helpers: Helpers;
  connectionsPerFile: number;
  /** What a helper has to know besides its parts; `undefined` as long as there can be none. */
  order: () => Omit<HelpOrder, keyof Slice> | undefined;
  parts: SharedParts;
  /** Called when one has ended. */
  changed: () => void;
}) {
  const { clock, settings, helpers, parts, connectionsPerFile } = deps;
  const out = new Set<Helper>();
  let wanted: ReturnType<typeof helpWanted>;
  /** Connections that wait for it until there are enough of them. */
  const gathered: Loan[] = [];
  /** Helpers in a row of whom nothing came. */
  let fruitless = 0;
  /** What came to this worker over how many lent connections, and since when. */
  let bytes = 0;
  let lent = 0;
  let since = clock.now();

  function measureAnew(): void {
    bytes = 0;
    lent = 0;
    since = clock.now();
  }

  function wish(): typeof wanted {
    const ms = clock.now() - since;
    const order = deps.order();
    if (!settings || !order || fruitless >= MAX_FRUITLESS_HELPERS || ms < settings.measureMs) return undefined;
    const progress = {
      freeParts: parts.free(),
      partBytes: order.partBytes,
      bytesPerSecond: (bytes / Math.max(1, ms)) * 1000,
      lent,
      connectionsPerFile,
      helpers: out.size,
    };
    measureAnew();
    return helpWanted(settings, progress);
  }

  function send({ parts: most, connections }: NonNullable<typeof wanted>): void {
    const loans = gathered.splice(0);
    wanted = undefined;
    measureAnew(); // with the connections that are left
    const order = deps.order();
    const slice = parts.take(most);
    const isEnough = slice !== undefined && slice.last - slice.first + 1 >= connections;
    const helper = order && isEnough ? helpers.ask({ ...order, ...slice }, loans) : undefined;
    if (helper) {
      follow(helper);
      return;
    }
    fruitless += 1;
    if (slice) parts.giveBack(slice);
    for (const loan of loans) loan.end();
  }

  function follow(helper: Helper): void {
    out.add(helper);
    void helper.ended.then(() => {
      out.delete(helper);
      const left = parts.giveBack(helper);
      fruitless = left > helper.last - helper.first ? fruitless + 1 : 0;
      deps.changed();
    });
  }

  return {
    follow,
    /** So much came to this worker. */
    came(more: number): void {
      bytes += more;
      lent = Math.max(lent, parts.lent());
    },
    /** Keeps a connection whose request has ended for the next helper, if one is wanted. */
    gather(loan: Loan): boolean {
      wanted ??= wish();
      if (!wanted) return false;
      gathered.push(loan);
      if (gathered.length >= wanted.connections) send(wanted);
      return true;
    },
    /** Gives back what was gathered unless the rest can come. */
    check(mayLend: boolean): void {
      if (mayLend && gathered.length + parts.lent() >= (wanted?.connections ?? 0)) return;
      wanted = undefined;
      for (const loan of gathered.splice(0)) loan.end();
    },
    /** Nothing else is left to be done here. */
    hurry(): void {
      for (const helper of out) helper.hurry();
    },
    /** Connections that are not to be had here. */
    get connections() {
      return out.values().reduce((sum, { connections }) => sum + connections, gathered.length);
    },
  };
}
