import { expect, test } from 'vitest';
import { hostOf } from '../../core/model/entry.ts';
import { DownloadError } from '../../core/model/failure.ts';
import { createFleet, type Behaviour } from './fleet.ts';
import { outcomesOf } from './invariants.ts';

const PARK_MS = 900_000;
const PARKED = 'https://parked.test';
const SLOW = 'https://slow.test';

test.each([
  ['Retry-After', PARK_MS],
  ['nothing', undefined],
])('a host that refused with %s is not asked early by the turn after a crash', async (_, parkMs) => {
  const asked: number[] = [];
  let crashed = false;
  const behave: Behaviour = async ({ entry }, sleep, store) => {
    if (hostOf(entry.url) === SLOW) {
      // Keeps the turn at work, so that the park is written by a checkpoint and not by a release.
      if (!crashed) await sleep(3_600_000);
    } else {
      asked.push(fleet.scheduler.now);
      if (!crashed) {
        const retryAt = parkMs === undefined ? undefined : fleet.scheduler.now + parkMs;
        throw new DownloadError('RATE_LIMITED', 'too many', { httpStatus: 429, retryAt });
      }
    }
    return store();
  };
  const fleet = createFleet(behave);
  const { servers, scheduler } = fleet;
  const id = await fleet.submit([`${PARKED}/0.bin`, `${PARKED}/1.bin`, `${SLOW}/0.bin`], { maxAttempts: 20 });

  const waiting = () => {
    const key = servers.shardsOf(id)[0]?.waiting;
    const list = JSON.parse(String(servers.state.get(key ?? '') ?? '{}')) as { hosts?: { parkedUntil: number }[] };
    return list.hosts?.[0]?.parkedUntil ?? 0;
  };
  // A checkpoint has written a park that outlasts the lease.
  while (waiting() < scheduler.now + 120_000) await fleet.pass();
  const parkedUntil = waiting();
  const before = asked.length;
  const [turn] = fleet.turns;
  if (turn) scheduler.kill(turn.worker, 'right after the checkpoint');
  crashed = true;

  await fleet.finish(id);
  expect(asked.length).toBe(before + 2);
  expect(Math.min(...asked.slice(before))).toBeGreaterThanOrEqual(parkedUntil);
  const [shard] = servers.shardsOf(id);
  expect(shard && outcomesOf(servers, shard).map(({ state }) => state)).toEqual(['done', 'done', 'done']);
  expect(fleet.turns.length).toBeGreaterThan(2);
});
