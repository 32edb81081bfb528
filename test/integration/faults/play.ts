import { expect } from 'vitest';
import type { UserOptions } from '../../../core/batch/options.ts';
import type { Outcome } from '../../../core/model/outcome.ts';
import { createBatchRig, SECRET, type BatchRig, type BatchRigOptions } from '../../helpers/batch-rig.ts';
import { inTurn } from '../../helpers/origin-answers.ts';
import type { Answer, LoggedRequest, Origin } from '../../helpers/origin.ts';

/** What a user is to see of an entry. */
export interface Seen extends Partial<Outcome> {
  attempts: number;
  /** The body that is in the object store; nothing if left out. */
  stored?: string | Buffer;
}

export interface Played {
  rig: BatchRig;
  origin: Origin;
  outcome: Outcome | undefined;
  /** When each request came, in milliseconds since the first. */
  times: number[];
}

/** The path of every entry: a signed URL, say. */
export const SIGNED = `/file.bin?signature=${SECRET}`;

/** A batch of one file whose source does this, worked to its end. */
export async function play(
  answer: Answer,
  options: UserOptions = {},
  rigOptions: BatchRigOptions = {},
): Promise<Played> {
  const rig = await createBatchRig(rigOptions);
  const origin = await rig.startOrigin({ '/file.bin': answer });
  const { outcomes } = await rig.run([origin.url(SIGNED)], options);
  return { rig, origin, outcome: outcomes[0], times: timesOf(origin.requests) };
}

/** Plays a fault and compares all that a user sees of its end; `attempts` are also what the source saw. */
export async function expectSeen(answer: Answer, seen: Seen, options: UserOptions = {}): Promise<Played> {
  const played = await play(answer, options);
  expectOutcome(played, seen);
  expect(played.origin.requests).toHaveLength(seen.attempts);
  return played;
}

/** Compares an outcome, and what is in the object store, with what a user is to see. */
export function expectOutcome({ rig, outcome }: Pick<Played, 'rig' | 'outcome'>, { stored, ...seen }: Seen): void {
  const { state, code, bytes, httpStatus, attempts, lengthVerified, message } = outcome ?? {};
  const told = { state, code, bytes, httpStatus, attempts, lengthVerified };
  const body = stored === undefined ? undefined : Buffer.from(stored);
  const end = body ? { state: 'done', bytes: body.length, httpStatus: 200 } : { state: 'failed' };
  expect(told).toEqual({ ...end, ...seen });
  if (!body) expect(message).toMatch(/^\p{L}.{8,200}$/u);
  expect(rig.stored(outcome)?.toString('latin1')).toBe(body?.toString('latin1'));
  expect(rig.store.objects.size).toBe(body ? 1 : 0);
}

/** A source that plays a fault once and is well then. */
export const once = (fault: Answer, then: Answer): Answer => inTurn(fault, then);

function timesOf(requests: readonly LoggedRequest[]): number[] {
  return requests.map(({ at }) => at - (requests[0]?.at ?? 0));
}
