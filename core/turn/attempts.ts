import type { Service } from '../batch/service.ts';
import type { Download, Stored } from '../download/downloader.ts';
import { DownloadError, FAILURES, type FailureCode } from '../model/failure.ts';
import { HOST_FAULTS_PER_ATTEMPT, TURN_HEAD_MS } from '../model/limits.ts';
import { bytesOf } from '../model/partial-file.ts';
import type { Outcome } from '../model/outcome.ts';
import type { BatchRecord } from '../model/records.ts';
import type { Backlog } from './backlog.ts';
import type { Helpers } from './helpers.ts';
import { HostParked, hostDown, SLOW, type Host, type Hosts, type Slot } from './hosts.ts';
import type { KeptUploads } from './kept-uploads.ts';
import type { Loans } from './loans.ts';
import { LeadsAbroad } from './redirect-target.ts';
import { remove } from '../model/arrays.ts';
import { backoffMs } from './retry.ts';
import type { WaitingEntry } from './waiting.ts';

export type Attempts = ReturnType<typeof createAttempts>;

/** Runs the attempts of a turn and decides what each one's end means for its entry and its host. */
export function createAttempts(deps: {
  clock: Service['clock'];
  random: Service['random'];
  download: Download;
  batch: BatchRecord;
  headers: Readonly<Record<string, string>>;
  hosts: Hosts;
  backlog: Backlog;
  uploads: KeptUploads;
  /** The host that a redirect leads to; throws `LeadsAbroad`. */
  redirectTarget: (name: string) => Promise<Host>;
  borrow: Loans['borrow'];
  helpers: Pick<Helpers, 'of' | 'leave' | 'recall'>;
  /** Whether the lease can no longer be relied on. */
  isFenced: () => boolean;
  /** Called whenever an attempt has ended or needs its connection no more, or something has landed that should not be lost. */
  changed: () => void;
  meter?: Service['meter'];
}) {
  const { clock, random, hosts, backlog } = deps;
  const { options } = deps.batch;
  const underway: { abort: AbortController; startedAt: number; end: Promise<void> }[] = [];
  const settled: Outcome[] = [];
  /** Whether parts of files have landed since the last snapshot. */
  let hasLanded = false;
  /** The signals of attempts under way that have their file's body and only store it. */
  const storing: AbortSignal[] = [];

  /** Begins an attempt at an entry that was taken from the backlog. */
  function start(waiting: WaitingEntry, host: Host): void {
    const abort = new AbortController();
    const end = attempt(waiting, hosts.open(host), abort.signal).finally(() => {
      remove(underway, running);
      deps.changed();
    });
    const running = { abort, startedAt: clock.now(), end };
    underway.push(running);
  }

  async function attempt(waiting: WaitingEntry, first: Slot, signal: AbortSignal): Promise<void> {
    const at: { slot: Slot | undefined } = { slot: first };
    const before = bytesOf(waiting.partial);
    const giveBack = () => {
      if (!at.slot) return;
      hosts.succeeded(at.slot);
      hosts.close(at.slot);
      at.slot = undefined;
    };
    try {
      const stored = await deps.download({
        batchId: deps.batch.id,
        entry: waiting.entry,
        options,
        headers: deps.headers,
        signal,
        partial: waiting.partial,
        keep: (partial) => {
          waiting.partial = partial;
          if (!partial) deps.helpers.recall(waiting);
          if (!partial || hasLanded) return;
          hasLanded = true;
          deps.changed(); // a checkpoint is due sooner
        },
        borrow: deps.borrow,
        helpers: deps.helpers.of(waiting),
        requestFailed: (error) => {
          if (at.slot && FAILURES[error.code].verdict === 'host') hosts.faulted(at.slot, error);
        },
        wasChanged: waiting.wasChanged,
        changed: () => (waiting.wasChanged = true),
        received: () => {
          giveBack();
          storing.push(signal);
          deps.changed();
        },
        enterHost: async (name) => {
          // A slot is given back before the next is asked for: nobody waits while holding one.
          giveBack();
          at.slot = await hosts.enter(await deps.redirectTarget(name), signal);
          // A worker that was frozen may read its redirect before its alarm rings, and have been replaced.
          if (deps.isFenced()) throw new Error('The lease is lost.');
        },
      });
      if (at.slot && stored.httpStatus !== undefined) hosts.succeeded(at.slot);
      await settle(waiting, outcomeOf(stored));
    } catch (error) {
      if (signal.reason instanceof OutOfTime && bytesOf(waiting.partial) <= before) {
        await settle(waiting, failureOf(new DownloadError('TOO_SLOW', signal.reason.message)));
      } else if (signal.aborted) putBack(waiting, clock.now());
      else await failed(waiting, at.slot, error, bytesOf(waiting.partial) > before);
    } finally {
      deps.helpers.leave(waiting);
      // By now an entry that was put back can be taken again; its host's slot is free for it.
      if (at.slot) hosts.close(at.slot);
      remove(storing, signal);
    }
  }

  async function failed(
    waiting: WaitingEntry,
    slot: Slot | undefined,
    error: unknown,
    advanced: boolean,
  ): Promise<void> {
    if (error instanceof HostParked) {
      putBack(waiting, error.until);
    } else if (error instanceof LeadsAbroad) {
      waiting.abroad = true;
      putBack(waiting, clock.now());
    } else {
      await judge(waiting, slot, error instanceof DownloadError ? error : unforeseen(error), advanced);
    }
  }

  async function judge(
    waiting: WaitingEntry,
    slot: Slot | undefined,
    error: DownloadError,
    advanced: boolean,
  ): Promise<void> {
    const { verdict } = FAILURES[error.code];
    if (verdict === 'host') {
      waiting.hostFaults += 1;
      if (slot) hosts.faulted(slot, error);
      const exhausted = waiting.hostFaults >= HOST_FAULTS_PER_ATTEMPT * options.maxAttempts;
      if (slot?.host.down || exhausted) await settle(waiting, failureOf(error), waiting.attempts);
      else tryAgain(waiting, clock.now());
      return;
    }
    // Else a large file over a line that breaks now and then would fail with its bytes all but there. It ends all the
    // same: a file has 10,000 parts at most, and to lose those that have landed is charged.
    if (advanced && verdict === 'retry') waiting.advances = (waiting.advances ?? 0) + 1;
    else waiting.attempts += 1;
    if (slot && SLOW.includes(error.code)) hosts.slowed(slot);
    else if (slot && error.httpStatus !== undefined) hosts.succeeded(slot);
    if (verdict === 'final' || waiting.attempts >= options.maxAttempts) {
      await settle(waiting, failureOf(error), waiting.attempts);
    } else {
      const failures = advanced ? 1 : waiting.attempts;
      tryAgain(waiting, Math.max(error.retryAt ?? 0, clock.now() + backoffMs(failures, random)));
    }
  }

  function tryAgain(waiting: WaitingEntry, dueAt: number): void {
    deps.meter?.('Retries', 1);
    putBack(waiting, dueAt);
  }

  function putBack(waiting: WaitingEntry, dueAt: number): void {
    waiting.dueAt = dueAt;
    backlog.putBack(waiting);
  }

  /**
   * Gives an entry its outcome, at once, and ends the upload that waited with it. `attempts` are those charged to it, the
   * one that just ended included.
   */
  async function settle(waiting: WaitingEntry, end: Ending, attempts = waiting.attempts + 1): Promise<void> {
    const { index, url, key } = waiting.entry;
    const all = attempts + waiting.hostFaults + (waiting.advances ?? 0);
    backlog.settled(waiting);
    deps.helpers.recall(waiting);
    settled.push({ index, url, key, ...end, attempts: all, settledAt: clock.now() });
    if (waiting.partial) await deps.uploads.abort([waiting]);
  }

  return {
    start,
    /** Ends an entry without an attempt. */
    async fail(waiting: WaitingEntry, code: FailureCode, message: string = FAILURES[code].meaning): Promise<void> {
      await settle(waiting, { state: 'failed', code, message }, waiting.attempts);
    },
    /** Ends an entry of a host that was given up. */
    async failDown(waiting: WaitingEntry, host: Host): Promise<void> {
      if (host.down) await settle(waiting, failureOf(hostDown(host.down)), waiting.attempts);
    },
    /**
     * Aborts all attempts; their entries go back into the backlog. Resolves when none is under way.
     *
     * @param turn what has come to its end by its time, if that is why: what had all of it and left nothing to go on
     *   from would do so in the next one too, and fails
     */
    async abortAll(reason: string, turn?: { startedAt: number }): Promise<void> {
      for (const { abort, startedAt } of underway) {
        const hadAll = turn !== undefined && startedAt - turn.startedAt <= TURN_HEAD_MS;
        abort.abort(hadAll ? new OutOfTime(clock.now() - turn.startedAt) : new Error(reason));
      }
      await Promise.all(underway.map(({ end }) => end));
    },
    /** Aborts those that still need their source; what has come is stored. Resolves when none is under way. */
    async stop(reason: string): Promise<void> {
      for (const { abort } of underway) if (!storing.includes(abort.signal)) abort.abort(new Error(reason));
      await Promise.all(underway.map(({ end }) => end));
    },
    /** Outcomes that no checkpoint has written yet. */
    settled,
    /** Whether there is anything that should not be lost with the worker. */
    hasNews: () => hasLanded || settled.length > 0,
    /** A snapshot names all that has landed. */
    snapshotted(): void {
      hasLanded = false;
    },
    get count() {
      return underway.length;
    },
    /** Of these, the ones that have a connection, or wait for one that a redirect asks for. */
    get connected() {
      return underway.length - storing.length;
    },
  };
}

/** Why an attempt is aborted that had a whole turn. */
class OutOfTime extends Error {
  constructor(turnMs: number) {
    super(
      `the file does not fit into a turn of ${Math.round(turnMs / 60_000)} minutes, and nothing came of it that a later ` +
        'turn could go on from: its source gives no ranges, or no part came whole',
    );
    this.name = 'OutOfTime';
  }
}

type Ending = Pick<
  Outcome,
  'state' | 'bytes' | 'sha256' | 'contentType' | 'httpStatus' | 'code' | 'message' | 'lengthVerified'
>;

function outcomeOf({ state, bytes, sha256, contentType, httpStatus, lengthVerified }: Stored): Ending {
  return {
    state,
    bytes,
    ...(sha256 !== undefined && { sha256 }),
    ...(contentType !== undefined && { contentType }),
    ...(httpStatus !== undefined && { httpStatus }),
    ...(lengthVerified !== undefined && { lengthVerified }),
  };
}

function failureOf({ code, message, httpStatus }: DownloadError): Ending {
  return { state: 'failed', code, message, ...(httpStatus !== undefined && { httpStatus }) };
}

function unforeseen(error: unknown): DownloadError {
  const name = error instanceof Error ? error.name : typeof error;
  return new DownloadError('INTERNAL', `${FAILURES.INTERNAL.meaning} (${name})`, { cause: error });
}
