import { describe, expect, test } from 'vitest';
import { loadCore } from './core.ts';
import { explore } from './world.ts';

/** Runs of `npm test`; SIMULATION_RUNS=100000 npx vitest run test/simulation goes further. */
const RUNS = Number(process.env.SIMULATION_RUNS ?? 2000);
const FIRST_SEED = Number(process.env.SIMULATION_SEED ?? 0);
/** Runs between two returns to the test runner. */
const CHUNK = 250;

const core = await loadCore(new URL('../../core', import.meta.url).pathname);

/** What the runs met: turns with care, words of their traces, codes of failures and the like. */
let careTurns = 0;
const words = new Map(
  ['DIES', 'FREEZES', 'LATE', 'LOST', 'answer lost', 'still on the wire', 'warning'].map((word) => [word, 0]),
);
const codes = new Set<string>();

describe('a batch of hostile sources under crashes, lost answers, late writes, lost and doubled tickets, frozen workers and control', () => {
  for (let from = FIRST_SEED; from < FIRST_SEED + RUNS; from += CHUNK) {
    const to = Math.min(from + CHUNK, FIRST_SEED + RUNS);
    test(`keeps every promise and ends, seeds ${from} to ${to - 1}`, async () => {
      for (let seed = from; seed < to; seed++) {
        const result = await explore(core, seed);
        const { violation, trace } = result;
        if (violation) expect.fail(`seed ${seed}: ${violation.message}\n${trace.slice(-80).join('\n')}`);
        careTurns += result.careTurns;
        for (const code of result.codes) codes.add(code);
        for (const [word, n] of words) words.set(word, n + trace.filter((line) => line.includes(word)).length);
      }
    });
  }
});

test('where nobody dies and every call is answered, no upload is left open either, whoever has helped', async () => {
  const met = new Set<string>();
  // Of those in which large files are helped with.
  for (let seed = 1; seed < RUNS / 4; seed += 4) {
    const { violation, trace, codes } = await explore(core, seed, { faults: false });
    if (violation) expect.fail(`seed ${seed}: ${violation.message}\n${trace.slice(-80).join('\n')}`);
    for (const code of codes) met.add(code);
  }
  expect(met).toContain('helped without trouble');
});

test('the runs meet what they are meant to meet', () => {
  expect(careTurns).toBeGreaterThan(RUNS / 2);
  for (const [word, n] of words) expect(n, word).toBeGreaterThan(RUNS / 40);
  for (const code of [
    'NOT_FOUND',
    'CONNECTION_LOST',
    'CONNECT_FAILED',
    'CONNECT_TIMEOUT',
    'DNS_FAILED',
    'RATE_LIMITED',
    'UNAVAILABLE',
    'HOST_DOWN',
    'CRASHED',
    'DEADLINE',
    'cancelled',
    'abroad',
    'cancelled while planned',
    'deleted',
    'large',
    'helped',
  ]) {
    expect(codes, code).toContain(code);
  }
});
