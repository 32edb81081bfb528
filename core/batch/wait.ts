import type { Service } from './service.ts';
import { batchStatus, type BatchStatus } from './status.ts';

/** What to wait for: as `asyncio.wait` says it. */
export const WAIT_CONDITIONS = ['ALL_COMPLETED', 'FIRST_COMPLETED', 'FIRST_EXCEPTION'] as const;

export interface WaitFor {
  /** The batch is closed; an entry has an outcome; an entry has failed. A closed batch ends every wait. */
  returnWhen: (typeof WAIT_CONDITIONS)[number];
  /** Also ends the wait: so many entries have an outcome. */
  settledAtLeast?: number | undefined;
  timeoutMs: number;
}

/** The first pauses between two looks: about as often as a client would ask. */
const FIRST_PAUSE_MS = 1000;
/** The longest pause; outcomes are recorded every five seconds, and a look costs up to a thousand small records. */
const MAX_PAUSE_MS = 3000;
const PAUSE_FACTOR = 1.25;

/**
 * A batch's status as soon as a condition holds, or when the time is up: that neither fails nor cancels anything.
 *
 * @param signal nobody waits any more: ends the wait at once with its reason
 * @throws UnknownBatchError
 */
export async function waitForBatch(
  service: Pick<Service, 'ledger' | 'state' | 'clock'>,
  batchId: string,
  condition: WaitFor,
  signal?: AbortSignal,
): Promise<BatchStatus> {
  const { clock } = service;
  const end = clock.now() + condition.timeoutMs;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(PAUSE_FACTOR * pauseMs, MAX_PAUSE_MS)) {
    const status = await batchStatus(service, batchId);
    const leftMs = end - clock.now();
    if (holds(status, condition) || leftMs <= 0) return status;
    await clock.sleep(Math.min(pauseMs, leftMs), signal);
  }
}

function holds(status: BatchStatus, { returnWhen, settledAtLeast = Infinity }: WaitFor): boolean {
  if (status.finishedAt !== undefined) return true;
  const settled = status.total - status.pending;
  return (
    settled >= settledAtLeast ||
    (returnWhen === 'FIRST_COMPLETED' && settled > 0) ||
    (returnWhen === 'FIRST_EXCEPTION' && status.failed > 0)
  );
}
