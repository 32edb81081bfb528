import { expect, test } from 'vitest';
import { KINDS, startTorture, type Fault } from './torture.ts';

const FAULTS = KINDS.flatMap((kind): Omit<Fault, 'n'>[] => [
  { kind, mode: 'error' },
  // A connection that is there and of which nobody hears is a request without an answer.
  ...(kind === 'connect' ? [] : [{ kind, mode: 'lost' } as const]),
]);

test.each(FAULTS)('a batch ends as it should whichever $kind ends by: $mode', async ({ kind, mode }) => {
  const { run } = await startTorture();
  const calls = (await run())[kind];
  expect(calls).toBeGreaterThan(0);
  for (let n = 1; n <= calls; n++) {
    await run({ kind, mode, n }).catch((error: unknown) => {
      throw new Error(`${kind} ${n} of ${calls}, ${mode}`, { cause: error });
    });
  }
});
