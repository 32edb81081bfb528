import type { Service } from '../batch/service.ts';
import type { Version } from '../download/continuation.ts';
import type { GiveBack, Helper, HelpOrder, Helpers as HelpersOfFile, Loan } from '../download/downloader.ts';
import type { Entry } from '../model/entry.ts';
import { DownloadError, FAILURES } from '../model/failure.ts';
import { helperName, orderKey } from '../model/layout.ts';
import { HELPER_LOOK_MS, HELPER_OFFER_MS, MAX_HELPERS } from '../model/limits.ts';
import type { HelperRecord, ShardRecord } from '../model/records.ts';
import type { Part } from '../ports/object-store.ts';
import type { Checkpointer } from './checkpoint.ts';
import type { Host } from './hosts.ts';
import type { Loans } from './loans.ts';
import type { WaitingEntry, WaitingHelper, WaitingList } from './waiting.ts';

/** What a helper has to do, as it is written for whoever takes it. */
export interface WrittenOrder extends Omit<HelpOrder, 'source'> {
  entry: Entry;
  /** Who answered for the file, after redirects. */
  url: string;
  version: Version;
  /** Whether the user's request headers go there; those of the whole batch are not written here. */
  withHeaders: boolean;
  connections: number;
}

/** A helper that is out. */
interface Out extends WaitingHelper {
  name: string;
  entry: WaitingEntry | undefined;
  /** What it has to do, until that is written. */
  order: WrittenOrder | undefined;
  /** When it is taken back if nobody has it; sooner if its file waits for nothing else. */
  offeredUntil: number;
  isHurried: boolean;
  isRecalled: boolean;
  /** Its upload was given up, or completed: nobody goes on with it. */
  isOver: boolean;
  /** The newest object of its parts that was read, and how many of its parts that does not name. */
  seen: string | undefined;
  left: number;
  bringHome: GiveBack;
  ended: PromiseWithResolvers<undefined>;
}

export type Helpers = ReturnType<typeof createHelpers>;

/**
 * The helpers of a shard: other workers that fetch parts of one of its large files, over connections that it leaves them.
 *
 * **The order of writes**: a checkpoint that names the helper; what it has to do; its record; its ticket. So whoever takes
 * the shard over knows of all there can be, and that nobody was told of one that is named and has no record. A helper is
 * out, and its connections are, until it is known to have ended; and works only while its shard names it, so that a record
 * that comes late is nobody's.
 */
export function createHelpers(deps: {
  service: Pick<Service, 'ledger' | 'state' | 'files' | 'tickets' | 'clock'>;
  shard: Pick<ShardRecord, 'batchId' | 'shard'>;
  /** Of the keys of the batch's files. */
  prefix: string;
  checkpoints: Pick<Checkpointer, 'persist' | 'isFenced'>;
  /** As the shard was taken. */
  list: WaitingList;
  loans: Pick<Loans, 'sendAway'>;
  /** Finds a host by its name. */
  find: (name: string) => Promise<Host>;
  /** Called when one is asked for, and when one has ended. */
  changed: () => void;
}) {
  const { ledger, state, files, tickets, clock } = deps.service;
  const { batchId, shard } = deps.shard;
  const { persist, isFenced } = deps.checkpoints;
  const outs = new Set<Out>();
  /** Ended since the last checkpoint, or named by it still: with the newest object that is left of each. */
  let gone: { out: Out; newest: string | undefined }[] = [];
  /** Who wants to hear of parts that land, by entry. */
  const listeners = new Map<WaitingEntry, (parts: readonly Part[]) => void>();
  /** Names that were in a snapshot, of a checkpoint that may have landed. */
  const named = new Set<string>();
  /** Of those that have ended since the last snapshot. */
  let workedMs = 0;
  let lookedAt = clock.now();
  let hasNews = false;

  function send(helper: WaitingHelper, more: Pick<Out, 'entry' | 'order' | 'bringHome'>): Out {
    const out: Out = {
      ...helper,
      ...more,
      name: helperName(helper.index, helper.n),
      offeredUntil: clock.now() + HELPER_OFFER_MS,
      isHurried: false,
      isRecalled: false,
      isOver: false,
      seen: undefined,
      left: helper.last - helper.first + 1,
      ended: Promise.withResolvers(),
    };
    outs.add(out);
    return out;
  }

  /** Takes over those that are out for the shard. Awaited before it opens any connection. */
  async function start(): Promise<void> {
    for (const helper of deps.list.helpers ?? []) {
      const entry = deps.list.entries.find((waiting) => waiting.entry.index === helper.index);
      const bringHome = deps.loans.sendAway(await deps.find(helper.host), helper.connections);
      const out = send(helper, { entry, order: undefined, bringHome });
      out.isOver = out.isRecalled = entry?.partial?.uploadId !== helper.uploadId;
    }
    if (outs.size > 0) await look();
  }

  function ask(waiting: WaitingEntry, { source, ...order }: HelpOrder, loans: readonly Loan[]): Out {
    const { entry } = waiting;
    const { first, last, uploadId } = order;
    const { url, version, headers } = source;
    const connections = loans.length;
    waiting.helped = (waiting.helped ?? 0) + 1;
    const helper = { index: entry.index, n: waiting.helped, first, last, uploadId, host: url.origin, connections };
    const withHeaders = Object.keys(headers).length > 0;
    const backs = loans.map((loan) => loan.handOver());
    const out = send(helper, {
      entry: waiting,
      order: { ...order, entry, url: url.href, version, withHeaders, connections },
      bringHome: (failure) => backs.forEach((giveBack) => giveBack(failure)),
    });
    deps.changed();
    return out;
  }

  const viewOf = (out: Out): Helper => ({
    first: out.first,
    last: out.last,
    connections: out.connections,
    ended: out.ended.promise,
    hurry: () => void (out.isHurried = true),
  });

  /** What an attempt at an entry knows of them. */
  function of(waiting: WaitingEntry): HelpersOfFile {
    return {
      join(landed) {
        const { partial } = waiting;
        listeners.set(waiting, landed);
        // Of those that came since the attempt began nobody has heard.
        if (partial) landed(partial.parts);
        return [...outs].filter((out) => out.entry === waiting && out.uploadId === partial?.uploadId).map(viewOf);
      },
      ask(order, loans) {
        const others = [...outs].filter((out) => out.uploadId !== order.uploadId);
        if (others.length > 0 || outs.size >= MAX_HELPERS || isFenced()) return undefined;
        return viewOf(ask(waiting, order, loans));
      },
    };
  }

  /** Parts of a helper that have landed belong to its entry, whether an attempt is at it or not. */
  function landed({ entry, uploadId }: Out, parts: readonly Part[]): void {
    if (entry?.partial?.uploadId !== uploadId) return;
    entry.partial = { ...entry.partial, parts: withParts(entry.partial.parts, parts) };
    listeners.get(entry)?.(parts);
    hasNews = true;
  }

  function home(out: Out, record: Pick<HelperRecord, 'landed' | 'fault' | 'workedMs'> = {}): void {
    const { landed: newest, fault } = record;
    outs.delete(out);
    workedMs += record.workedMs ?? 0;
    gone.push({ out, newest });
    hasNews = true;
    out.bringHome(fault && new DownloadError(fault.code, FAILURES[fault.code].meaning, fault));
    out.ended.resolve(undefined);
    deps.changed();
  }

  /** Wants parts back: at once from who is known to nobody yet, from the others as soon as they have ended. */
  function recall(those: Iterable<Out>): void {
    for (const out of those) {
      if (out.isRecalled) continue;
      out.isRecalled = true;
      lookedAt = 0;
      if (out.order && !named.has(out.name)) home(out);
    }
  }

  function snapshot(): WaitingHelper[] {
    return [...outs].map(({ index, n, first, last, uploadId, host, connections, name }) => {
      named.add(name);
      return { index, n, first, last, uploadId, host, connections };
    });
  }

  /** After a checkpoint that landed: sends those that it names, and removes what is left of those that it does not. */
  async function checkpointed({ helpers = [] }: WaitingList): Promise<void> {
    const names = new Set(helpers.map(({ index, n }) => helperName(index, n)));
    for (const out of outs) {
      if (!names.has(out.name) || !out.order) continue;
      if (out.isRecalled) home(out);
      else await write(out, out.order);
    }
    const over = gone.filter(({ out }) => !names.has(out.name));
    gone = gone.filter(({ out }) => names.has(out.name));
    await Promise.all(over.map(remove));
  }

  async function write(out: Out, order: WrittenOrder): Promise<void> {
    const { name } = out;
    const body = Buffer.from(JSON.stringify(order));
    const record: HelperRecord = { batchId, name, shard, rev: 1, askedAt: clock.now(), leaseUntil: 0 };
    const writes = [
      () => state.put(orderKey(batchId, name), body),
      () => ledger.createHelper(record),
      () => tickets.send([{ batchId, shard, helper: name }]),
    ];
    for (const call of writes) if (!(await persist(() => call().then(() => true)))) return;
    out.offeredUntil = clock.now() + HELPER_OFFER_MS;
    out.order = undefined;
  }

  async function remove({ out, newest }: (typeof gone)[number]): Promise<void> {
    await removeHelper({ ledger, state }, batchId, out.name, newest);
    // Who gave the upload up did not wait for the parts that were on their way.
    if (out.isOver && out.left > 0 && out.entry)
      await files.abortUpload(deps.prefix + out.entry.entry.key, out.uploadId).catch(() => undefined);
  }

  /** Sees what each has done, and takes back what is recalled, or held by who has died. What fails is done at the next look. */
  async function look(): Promise<void> {
    lookedAt = clock.now();
    const sent = [...outs].filter(({ order }) => order === undefined);
    await Promise.all(sent.map((out) => lookAt(out).catch(() => undefined)));
  }

  async function lookAt(out: Out): Promise<void> {
    const { name } = out;
    const record = await ledger.getHelper(batchId, name);
    const now = clock.now();
    if (!record) {
      // Who named it died before it had an answer to that: no ticket was sent, nor will be.
      home(out);
      return;
    }
    if (record.landed !== undefined && record.landed !== out.seen) {
      const body = await state.get(record.landed);
      if (!body) return;
      const parts = JSON.parse(String(body)) as Part[];
      landed(out, parts);
      out.seen = record.landed;
      out.left = out.last - out.first + 1 - parts.length;
    }
    if (record.endedAt !== undefined) {
      home(out, record);
      return;
    }
    const { owner, leaseUntil, recalled } = record;
    const isUnwanted = out.isRecalled || out.isHurried || out.offeredUntil <= now;
    const isNobodys = owner ? leaseUntil <= now : isUnwanted;
    if (isFenced()) return;
    if (isNobodys) {
      if (await ledger.replaceHelper({ ...record, rev: record.rev + 1, endedAt: now })) home(out, record);
    } else if (out.isRecalled && recalled !== true) {
      await ledger.replaceHelper({ ...record, rev: record.rev + 1, recalled: true });
    }
  }

  return {
    start,
    of,
    /** An attempt is over: nobody hears of parts any more. */
    leave: (waiting: WaitingEntry) => listeners.delete(waiting),
    /** Nobody has a use for what they fetch for this entry: its upload is completed or given up. */
    recall(waiting: WaitingEntry): void {
      const vain = [...outs].filter(({ entry }) => entry === waiting);
      for (const out of vain) out.isOver = true;
      recall(vain);
    },
    recallAll: () => recall([...outs]),
    snapshot,
    checkpointed,
    /** Does what is due. */
    async go(): Promise<void> {
      if (outs.size > 0 && clock.now() >= lookedAt + HELPER_LOOK_MS) await look();
    },
    /** When something is due next. */
    nextAt: () => (outs.size > 0 ? lookedAt + HELPER_LOOK_MS : Infinity),
    /** Whether there is one that no checkpoint names: it waits for that. */
    isUrgent: () => [...outs].some(({ name }) => !named.has(name)),
    /** Whether anything has come about that should not be lost with the worker. */
    hasNews: () => hasNews,
    takeWorkedMs(): number {
      const ms = workedMs;
      workedMs = 0;
      hasNews = false;
      return ms;
    },
    /** Forgets those that nobody was told of: the turn is over, and asks no more. */
    end: () => [...outs].filter(({ order }) => order).forEach((out) => home(out)),
    /** How many are out. */
    get count() {
      return outs.size;
    },
  };
}

/** Removes what is left of a helper that has ended; what fails goes with the batch. */
export async function removeHelper(
  { ledger, state }: Pick<Service, 'ledger' | 'state'>,
  batchId: string,
  name: string,
  /** The newest object of its parts. */
  newest: string | undefined,
): Promise<void> {
  await ledger.removeHelper(batchId, name).catch(() => undefined);
  for (const key of [orderKey(batchId, name), newest])
    if (key !== undefined) await state.delete(key).catch(() => undefined);
}

/** In the order of their numbers; the newer of two takes the place of the other. */
function withParts(before: readonly Part[], landed: readonly Part[]): Part[] {
  const all = new Map([...before, ...landed].map((part) => [part.number, part]));
  return [...all.values()].sort((a, b) => a.number - b.number);
}
