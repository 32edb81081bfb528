import type { Notice, Notices } from '../adapters/sqlite/notices.ts';
import { redactUrl } from '../core/model/redact.ts';
import type { Clock } from '../core/ports/clock.ts';
import { backoffMs } from '../core/turn/retry.ts';
import type { Log } from './log.ts';
import { signedHeaders, type Webhook } from './webhook.ts';

/** How long a receiver may take to answer. */
const ANSWER_MS = 15_000;
/** A notice that could not be delivered for so long is given up. */
const GIVE_UP_MS = 24 * 60 * 60 * 1000;
/** How soon notices are looked for again that could not be read or written, as on a disk that is full. */
const TROUBLE_MS = 60_000;

export interface Notifier {
  /** Looks for notices at once. */
  wake: () => void;
  /** Ends the delivery under way; it is made again at the next start. */
  stop: () => Promise<void>;
}

/**
 * Delivers notices, the one that is due first first, each at least once: it is removed when the receiver has answered
 * with 2xx. One that fails is tried again with growing pauses of up to 15 minutes, for a day.
 */
export function startNotifier(deps: {
  notices: Notices;
  webhook: Webhook;
  clock: Clock;
  random: () => number;
  log: Log;
}): Notifier {
  const { notices, webhook, clock, random, log } = deps;
  const stopping = new AbortController();
  let wakeUp = new AbortController();

  async function deliver(notice: Notice): Promise<void> {
    const failure = await post(notice);
    if (stopping.signal.aborted) return;
    if (failure === undefined) {
      notices.remove(notice.id);
    } else if (clock.now() - notice.createdAt >= GIVE_UP_MS) {
      log.error(`notice of batch ${notice.id} given up after a day: ${redactUrl(webhook.url)} ${failure}`);
      notices.remove(notice.id);
    } else {
      if (notice.failures === 0)
        log.error(`notice of batch ${notice.id} not taken: ${redactUrl(webhook.url)} ${failure}`);
      notices.putOff(notice.id, clock.now() + backoffMs(notice.failures + 1, random));
    }
  }

  /** What went wrong, in words. */
  async function post({ id, body }: Notice): Promise<string | undefined> {
    const late = new AbortController();
    const over = new AbortController();
    clock.sleep(ANSWER_MS, over.signal).then(
      () => late.abort(),
      () => undefined,
    );
    try {
      const answer = await fetch(webhook.url, {
        method: 'POST',
        headers: { ...signedHeaders(id, clock.now(), body, webhook.secret), 'content-type': 'application/json' },
        body,
        // Signed for this receiver, and for no other.
        redirect: 'manual',
        signal: AbortSignal.any([stopping.signal, late.signal]),
      });
      await answer.body?.cancel();
      return answer.ok ? undefined : `answered ${answer.status}`;
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : '';
      return late.signal.aborted ? `did not answer within ${ANSWER_MS / 1000} s` : `could not be reached${code}`;
    } finally {
      over.abort();
    }
  }

  /** Delivers what is due, or waits for that. */
  async function turn(): Promise<void> {
    const first = notices.first();
    const wait = first ? first.dueAt - clock.now() : GIVE_UP_MS;
    if (first && wait <= 0) await deliver(first);
    else await pause(wait);
  }

  async function pause(ms: number): Promise<void> {
    await clock.sleep(ms, AbortSignal.any([wakeUp.signal, stopping.signal])).catch(() => undefined);
  }

  async function loop(): Promise<void> {
    let trouble = '';
    while (!stopping.signal.aborted) {
      // Renewed before looking: a wake-up that comes while looking is not lost.
      wakeUp = new AbortController();
      try {
        await turn();
        trouble = '';
      } catch (error) {
        // Told once, however long it lasts.
        if (trouble !== String(error)) log.error('notices could not be looked for; they are delivered later', error);
        trouble = String(error);
        await pause(TROUBLE_MS);
      }
    }
  }

  const ended = loop();
  return {
    wake: () => wakeUp.abort(),
    async stop() {
      stopping.abort();
      await ended;
    },
  };
}
