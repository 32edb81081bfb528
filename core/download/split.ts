import { DownloadError, FAILURES } from '../model/failure.ts';
import { REGROWTH } from '../model/limits.ts';
import type { BatchOptions } from '../model/options.ts';
import type { Part } from '../ports/object-store.ts';
import type { Attempt } from './attempt.ts';
import type { BodyCheck } from './body-check.ts';
import type { ByteBudget, Room } from './byte-budget.ts';
import type { Helpers, Loan, Slice } from './downloader.ts';
import type { HelpSettings } from './help-wanted.ts';
import { createPartQueue, type Task } from './part-queue.ts';
import { RangeRefused, readPart, type PartSource } from './part-request.ts';
import type { PartUpload } from './part-upload.ts';
import type { SourceDeps } from './source.ts';
import type { TimeLimit } from './time-limits.ts';
import { createSplitHelp } from './split-help.ts';
import { toDownloadError } from './translate.ts';

/**
 * Parts on their way to the store, each with its room, beside which no others are begun: as many as fill a worker's line. Where the
 * source is faster than the store they would pile up.
 */
const MOST_STORING = 4;
/** Parts in a row that fail before a file is left to the attempt's own connection; those under way together are one. */
const MOST_FAULTS = 3;

export interface SplitDeps extends SourceDeps {
  limitTime: () => TimeLimit;
  budget: ByteBudget;
  /** When other workers are asked to help; never if left out. */
  help?: HelpSettings | undefined;
  /** No less than the worker's line can take: connections are begun no faster. Without a limit if left out. */
  lineBytesPerSecond?: number | undefined;
}

export interface SplitFile {
  source: PartSource;
  /** Whether the entry's URL has led there, and may lead to another URL of the same file by now. */
  isRedirected: boolean;
  options: BatchOptions;
  /** Bytes of the file, and of each part but the last. */
  length: number;
  partBytes: number;
  /** Numbers of the parts that are in the store already. */
  landed: readonly number[];
  upload: PartUpload;
  /** Where every byte has to be seen in its order: parts are then fetched in theirs. */
  inOrder?: BodyCheck | undefined;
  /** Called once such a part was seen, before it is stored. */
  seen: () => void;
  /** Lends a connection to the host that answered. */
  borrow: ((host: string, signal: AbortSignal) => Promise<Loan>) | undefined;
  /** Other workers that fetch parts, or could. */
  helpers: Helpers | undefined;
  /** Awaited before each request over the attempt's own connection. */
  again: (host: string) => Promise<void>;
  /** Called as soon as one of these has failed. */
  failed: ((failure: DownloadError) => void) | undefined;
}

/**
 * The parts of one file, fetched over the connection that an attempt has and over those that are lent to it.
 *
 * The attempt's response goes on as the stream that it is, from the front, and claims each part that it comes to; lent
 * connections fetch parts from the end, one request each, until the two meet. So no body is wasted, and should the
 * source give no ranges after all, the stream has the whole file. Where bytes have to be seen in order, lent connections
 * fetch what comes next, and a part stays in its room until its turn has come.
 */
export interface Split {
  /** Whether a part has come over a connection that was lent. */
  readonly isShared: boolean;
  /** Lends out from now on. */
  start: () => void;
  /**
   * Claims a part for the stream; `false` if that is to end here. `prepare` is awaited before where parts come in order.
   */
  claim: (number: number, prepare: (signal: AbortSignal) => Promise<void>) => Promise<boolean>;
  /** Fetches what nobody else does; resolves once every part is in the store. Errors: `RangeRefused`, `DownloadError`. */
  finish: () => Promise<void>;
  /** Ends all that is under way, and resolves when it has ended. */
  stop: () => Promise<void>;
}

export function createSplit(deps: SplitDeps, file: SplitFile, attempt: Attempt): Split {
  const { source, options, length, partBytes, upload, inOrder } = file;
  const { origin } = source.url;
  /** The worker's line takes a part in no less. */
  const partMs = (partBytes / (deps.lineBytesPerSecond ?? Infinity)) * 1000;
  /** In the store, or the stream's own to store. */
  const there = new Set(file.landed);
  const numbers = Array.from({ length: Math.ceil(length / partBytes) }, (_, i) => i + 1);
  const rangeOf = (number: number) => ({ from: (number - 1) * partBytes, to: Math.min(length, number * partBytes) });
  const queue = createPartQueue({
    budget: deps.budget,
    numbers: numbers.filter((number) => !there.has(number)),
    bytesOf: (number) => Math.min(length - (number - 1) * partBytes, partBytes),
    inOrder: inOrder !== undefined,
  });
  const { free } = queue;
  /** Parts that came before their turn. */
  const early = new Map<number, Room>();
  const lanes = new Set<Promise<void>>();
  const storing = new Set<Promise<void>>();
  const stopped = new AbortController();
  const signal = AbortSignal.any([attempt.signal, stopped.signal]);
  /** Resolves when anything has changed that who waits for the others may want to know. */
  let news = Promise.withResolvers<undefined>();
  let lending: Promise<void> | undefined;
  /** Parts that are not in the store. */
  let missing = free.count;
  let faults = 0;
  let isRefused = false;
  /** Whether the source refuses what it gave before, as one does whose URL has a signature that has run out. */
  let isStale = false;
  /** How many may be lent: fewer where some fail while others come, since a source may have a limit of its own. Not whole. */
  let most = options.connectionsPerFile - 1;
  /** Whether a part has failed: the first to do so while connections are begun leaves `most` as it is. */
  let hasFailed = false;
  /** Whether the source has given a range, and not only promised to. */
  let isProven = file.landed.length > 0;
  let isShared = false;

  const help =
    file.helpers &&
    createSplitHelp({
      clock: deps.clock,
      settings: deps.help,
      helpers: file.helpers,
      connectionsPerFile: options.connectionsPerFile,
      order: () => {
        // In their order parts have to be seen by one worker; and a host's pace is kept by one.
        const isAlone = inOrder !== undefined || options.requestsPerSecondPerHost !== undefined || !mayLend();
        return isAlone || upload.id === undefined ? undefined : { source, uploadId: upload.id, partBytes };
      },
      parts: {
        free: () => free.count,
        lent: () => lanes.size,
        take: (most) => free.take(most),
        giveBack: giveBackFrom,
      },
      changed: () => {
        start();
        tell();
      },
    });

  function tell(): void {
    news.resolve(undefined);
    news = Promise.withResolvers();
  }

  /** A helper has ended: its parts are anybody's but those that are in the store. */
  function giveBackFrom({ first, last }: Slice): number {
    let count = 0;
    for (let number = first; number <= last; number++) {
      if (there.has(number)) continue;
      free.add(number);
      count += 1;
    }
    return count;
  }

  /** Takes in what others have stored; also while the attempt ends, or the parts that it waits for would leave these out. */
  function adopt(parts: readonly Part[]): void {
    const fresh = parts.filter(({ number }) => !there.has(number));
    if (fresh.length === 0) return;
    for (const { number } of fresh) {
      there.add(number);
      free.leave({ first: number, last: number });
    }
    missing -= fresh.length;
    upload.adopt(fresh);
    tell();
  }

  function giveBack(task: Task): void {
    queue.giveBack(task);
    start();
    tell();
  }

  async function read({ number, room }: Task): Promise<void> {
    await readPart(deps, source, rangeOf(number), room, signal);
    faults = 0;
    most = Math.min(options.connectionsPerFile - 1, most + most * REGROWTH);
    isProven = true;
    help?.came(room.buffer.length);
    keep({ number, room });
  }

  /** All bytes of a part are there. */
  function keep(task: Task): void {
    if (!inOrder) {
      store(task);
      return;
    }
    early.set(task.number, task.room);
    serveEarly(inOrder);
  }

  function serveEarly(check: BodyCheck): void {
    for (;;) {
      const number = check.bytes / partBytes + 1;
      const room = early.get(number);
      if (!room) return;
      early.delete(number);
      check.take(room.buffer);
      file.seen();
      store({ number, room });
    }
  }

  function store({ number, room }: Task): void {
    const put = send(number, room).finally(() => {
      storing.delete(put);
      tell();
    });
    storing.add(put);
  }

  async function send(number: number, room: Room): Promise<void> {
    try {
      await upload.put(number, room.buffer);
      if (!there.has(number)) missing -= 1;
      there.add(number);
    } catch (error) {
      attempt.fail(toDownloadError(error, 'store'));
    } finally {
      room.release();
    }
  }

  /** What the failure of a lent connection says of the others; `before` are the faults when it was begun. */
  function judge(error: unknown, before: number): void {
    // It gave ranges before: it may not want so many at once.
    const isRefusal = isProven && error instanceof RangeRefused;
    if (error instanceof DownloadError && error.code === 'SOURCE_CHANGED') attempt.fail(error);
    else if (!isPassing(error) && !isRefusal) isRefused = true;
    else {
      // While connections are still begun, one failure says nothing about how many the source takes.
      if (hasFailed || lanes.size >= Math.floor(most)) most = Math.max(1, lanes.size - 1);
      hasFailed = true;
      if (faults !== before || ++faults < MOST_FAULTS) return;
      isRefused = true;
      isStale = isRefusal && file.isRedirected;
    }
  }

  async function lane(task: Task, loan: Loan): Promise<void> {
    const before = faults;
    try {
      await read(task);
      isShared = true;
      if (help?.gather(loan) !== true) loan.end();
    } catch (error) {
      if (signal.aborted) loan.drop();
      else {
        loan.end(error instanceof DownloadError ? error : undefined);
        judge(error, before);
      }
      giveBack(task);
    }
  }

  const mayLend = () => free.count > 0 && !isRefused && !signal.aborted;

  async function lend(borrow: NonNullable<SplitFile['borrow']>): Promise<void> {
    while (mayLend()) {
      const isBusy = lanes.size + (help?.connections ?? 0) >= Math.floor(most);
      if (isBusy || storing.size >= MOST_STORING) {
        await news.promise;
        continue;
      }
      const loan = await borrow(origin, signal);
      const task = mayLend() ? await queue.take(signal).catch(() => undefined) : undefined;
      if (!task) {
        loan.drop();
        continue;
      }
      const running = lane(task, loan).finally(() => {
        lanes.delete(running);
        help?.check(mayLend());
        tell();
      });
      lanes.add(running);
      // Where a few bring all that the line can take, more would hold memory for nothing.
      if (partMs > 0) await deps.clock.sleep(partMs, signal);
    }
  }

  function start(): void {
    if (!file.borrow || lending || signal.aborted) return;
    lending = lend(file.borrow)
      .catch(() => undefined) // nothing more is lent
      .finally(() => (lending = undefined));
  }

  for (const helper of file.helpers?.join(adopt) ?? []) {
    free.leave(helper);
    help?.follow(helper);
  }

  return {
    get isShared() {
      return isShared;
    },
    start,

    async claim(number, prepare) {
      if (inOrder) serveEarly(inOrder);
      // The stream is not given up for a range that may be refused.
      while (free.first !== number && !isProven && lanes.size > 0) await news.promise;
      if (isStale || !queue.isNext(number)) return false;
      if (inOrder) {
        const { roomless } = queue;
        try {
          await prepare(AbortSignal.any([signal, roomless]));
        } catch (error) {
          if (signal.aborted || !roomless.aborted) throw error;
          return false;
        }
        if (!queue.isNext(number)) return false;
      }
      free.shift();
      there.add(number); // the stream's own to store
      missing -= 1;
      help?.came(partBytes);
      return true;
    },

    async finish() {
      if (inOrder) serveEarly(inOrder);
      attempt.signal.addEventListener('abort', tell, { once: true });
      while (missing > 0) {
        attempt.signal.throwIfAborted();
        if (free.count > 0) await fetchOne();
        else {
          help?.hurry();
          await news.promise;
        }
      }
      attempt.signal.throwIfAborted();
    },

    async stop() {
      stopped.abort(new Error('The file is no longer fetched in parts.'));
      help?.check(false);
      tell();
      await lending;
      await Promise.all(lanes);
      await Promise.all(storing);
      queue.release();
      for (const room of early.values()) room.release();
    },
  };

  /** Over the attempt's own connection. */
  async function fetchOne(): Promise<void> {
    const { roomless } = queue;
    const task = await queue.take(AbortSignal.any([signal, roomless])).catch((error: unknown) => {
      if (signal.aborted || !roomless.aborted) throw error;
      return undefined; // there is one now that needs no room
    });
    if (!task) return;
    try {
      await file.again(origin);
      await read(task);
    } catch (error) {
      if (error instanceof DownloadError) file.failed?.(error);
      giveBack(task);
      attempt.signal.throwIfAborted();
      // As long as others get on it is tried again.
      if (!isPassing(error) || lanes.size === 0 || ++faults >= MOST_FAULTS) throw error;
    }
  }
}

/** Whether the same part may come another time. */
function isPassing(error: unknown): boolean {
  return error instanceof DownloadError && FAILURES[error.code].verdict !== 'final';
}
