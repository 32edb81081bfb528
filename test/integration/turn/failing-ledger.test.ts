import { describe, expect, test } from 'vitest';
import type { UserOptions } from '../../../core/batch/options.ts';
import { batchStatus } from '../../../core/batch/status.ts';
import { TICKET_OVERDUE_MS, TICKET_VISIBILITY_MS } from '../../../core/model/limits.ts';
import { createCrew } from '../../helpers/crew.ts';
import { file, redirect, status } from '../../helpers/origin-answers.ts';
import { startOrigin } from '../../helpers/origin.ts';
import { createRandom } from '../../simulation/random.ts';

const HOUR = 60 * 60 * 1000;
const DAY = 24 * HOUR;

type Bad = 'refused' | 'unanswered';

/** What becomes of a call to the ledger, counted from the moment at which the batch runs. */
type Luck = (call: number) => Bad | undefined;

/** Works a batch whose ledger has this luck for so long in driven time, unless the batch ends before. */
async function work(luck: Luck, lastsMs: number, options: UserOptions = {}) {
  let calls = 0;
  let wellAt = 0;
  const crew = createCrew({
    // One turn at a time, so that the same luck meets the same calls in every run.
    limits: { maxShards: 1 },
    wrap: (parts) => ({
      ...parts,
      ledger: new Proxy(parts.ledger, {
        get: (target, name) => {
          const method = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>;
          return async (...args: unknown[]) => {
            const bad = crew.clock.now() < wellAt ? luck(++calls) : undefined;
            if (bad === 'refused') throw new Error('too fast');
            const answer = await Reflect.apply(method, target, args);
            if (bad === 'unanswered') throw new Error('no answer');
            return answer;
          };
        },
      }),
    }),
  });
  const origin = await startOrigin({ '/file': file('a file'), '/moved': redirect('/file'), '/gone': status(404) });
  const urls = ['/file', '/moved', '/gone'].map((path, i) => origin.url(path, `host-${i}.test`));
  const id = await crew.submit(urls, options);
  const startedAt = crew.clock.now();
  wellAt = startedAt + lastsMs;

  let settled = 0;
  let settledMs = 0;
  const tookMs = await crew.finish(async () => {
    const { total, done, failed, pending } = await batchStatus(crew.service, id);
    expect(total).toBe(done + failed + pending);
    expect(done + failed).toBeGreaterThanOrEqual(settled);
    if (done + failed > settled) settledMs = crew.clock.now() - startedAt;
    settled = done + failed;
  });
  expect(await batchStatus(crew.service, id)).toMatchObject({ state: 'finished', pending: 0 });
  expect(crew.clock.pending(), 'timers left').toBe(0);
  const outcomes = await crew.outcomes(id);
  await crew[Symbol.asyncDispose]();
  return { outcomes: outcomes.map(({ index, state, code }) => [index, code ?? state]), tookMs, settledMs };
}

const WHOLE = [
  [1, 'done'],
  [2, 'done'],
  [3, 'NOT_FOUND'],
];

/**
 * Calls that fail in a rhythm can fall in step with a procedure that begins again where it failed: the same call of it
 * fails each time, be it the last one, and no deadline helps what cannot be written. Chance has no rhythm.
 */
describe('a batch whose ledger fails', () => {
  const rhythms = [2, 3, 4, 5, 6, 7].flatMap((n) =>
    (['refused', 'unanswered'] as const).map((bad) => [n, bad] as const),
  );

  test.each(rhythms)(
    'one call in %i %s, for a day: it ends as it should once that is over, if not before',
    async (n, bad) => {
      const { outcomes, tookMs, settledMs } = await work((call) => (call % n === 0 ? bad : undefined), DAY);
      expect(outcomes).toEqual(WHOLE);
      expect(tookMs).toBeLessThanOrEqual(DAY + TICKET_VISIBILITY_MS);
      // Of every two calls the second: nobody gets beyond the first look at a shard.
      if (n > 2) expect(settledMs).toBeLessThanOrEqual(TICKET_OVERDUE_MS);
    },
  );

  test('until after its deadline: what is left fails of that as soon as it can be written', async () => {
    const { outcomes, tookMs } = await work((call) => (call % 2 === 0 ? 'refused' : undefined), DAY, {
      deadlineSeconds: HOUR / 1000,
    });
    expect(outcomes).toEqual([1, 2, 3].map((index) => [index, 'DEADLINE']));
    expect(tookMs).toBeLessThanOrEqual(DAY + TICKET_VISIBILITY_MS);
  });

  test.each([1, 2, 3, 4, 5, 6])(
    'half of all calls, by chance, for good: it ends as it should all the same (seed %i)',
    async (seed) => {
      const random = createRandom(seed);
      const luck = () => (random() < 0.5 ? undefined : random() < 0.5 ? 'refused' : 'unanswered');
      const { outcomes, tookMs } = await work(luck, Infinity);
      expect(outcomes).toEqual(WHOLE);
      expect(tookMs).toBeLessThanOrEqual(DAY);
    },
  );
});
