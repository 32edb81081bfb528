import { expect, test } from 'vitest';
import { DownloadError } from '../../../core/model/failure.ts';
import { createHosts, HostParked, type Host, type Hosts } from '../../../core/turn/hosts.ts';

const START = 1_000_000;
const signal = new AbortController().signal;

/** Hosts at a time that stands still unless `clock.now` is set; chance is always one half. */
function createRig(
  options: { requestsPerSecondPerHost?: number; maxFailures?: number; connectionsPerHost?: number } = {},
) {
  const clock = { now: START };
  const hosts = createHosts({
    now: () => clock.now,
    random: () => 0.5,
    maxFailures: 3,
    connectionsPerHost: 16,
    ...options,
  });
  return { clock, hosts };
}

const refusal = (retryAt?: number) => new DownloadError('RATE_LIMITED', 'too many', { httpStatus: 429, retryAt });
const noAnswer = () => new DownloadError('CONNECT_FAILED', 'refused');

/** Begins and ends one request. */
function probe({ hosts }: { hosts: Hosts }, host: Host, error?: DownloadError): void {
  const slot = hosts.open(host);
  if (error) hosts.faulted(slot, error);
  else hosts.succeeded(slot);
  hosts.close(slot);
}

function countStarts({ hosts }: { hosts: Hosts }, host: Host): number {
  let n = 0;
  for (; hosts.mayStart(host); n++) hosts.open(host);
  return n;
}

test.each([
  { shards: 1, max: 16, first: 4 },
  { shards: 2, max: 8, first: 2 },
  { shards: 16, max: 1, first: 1 },
])('$shards shards begin with four connections together, or one each', ({ max, first }) => {
  const rig = createRig();
  expect(countStarts(rig, rig.hosts.get('a', max))).toBe(first);
});

test('who allows a host many connections begins with a quarter of them, over all shards', () => {
  const rig = createRig({ connectionsPerHost: 64 });
  expect(countStarts(rig, rig.hosts.get('alone', 64))).toBe(16);
  expect(countStarts(rig, rig.hosts.get('of two', 32))).toBe(8);
});

test('connections are four times as many after a round of success, up to the limit', () => {
  const rig = createRig();
  const host = rig.hosts.get('a', 16);
  for (const expected of [4, 16, 16]) {
    const slots = [];
    while (rig.hosts.mayStart(host)) slots.push(rig.hosts.open(host));
    expect(slots).toHaveLength(expected);
    for (const slot of slots) rig.hosts.succeeded(slot);
    for (const slot of slots) rig.hosts.close(slot);
  }
});

test('refusals of requests that were under way together count once, and their successes say nothing', () => {
  const rig = createRig();
  const host = rig.hosts.get('a', 16);
  const [a, b, c] = [rig.hosts.open(host), rig.hosts.open(host), rig.hosts.open(host)];
  rig.hosts.faulted(a, refusal());
  rig.hosts.faulted(b, refusal());
  rig.hosts.succeeded(c);
  expect(host).toMatchObject({ failures: 1, limit: 2, parkedUntil: START + 1000 });
});

test('a parked host is asked by one request at a time once its park is over', () => {
  const rig = createRig();
  const host = rig.hosts.get('a', 16);
  probe(rig, host, noAnswer());
  expect(rig.hosts.mayStart(host)).toBe(false);
  rig.clock.now = host.parkedUntil;
  expect(countStarts(rig, host)).toBe(1);
});

test('faults in a row give a host up, a success between them does not', () => {
  const rig = createRig();
  const host = rig.hosts.get('a', 16);
  for (const error of [noAnswer(), noAnswer(), undefined, noAnswer(), noAnswer()]) probe(rig, host, error);
  expect(host.down).toBeUndefined();
  probe(rig, host, noAnswer());
  expect(host.down).toMatchObject({ code: 'CONNECT_FAILED' });
});

test('a host that answers 429 lives: it takes four times as many to give it up', () => {
  const rig = createRig();
  const host = rig.hosts.get('a', 16);
  for (let i = 0; i < 11; i++) probe(rig, host, refusal());
  expect(host.down).toBeUndefined();
  probe(rig, host, refusal());
  expect(host.down).toMatchObject({ code: 'RATE_LIMITED', httpStatus: 429 });
});

test('Retry-After is obeyed, of every answer, and a little spread is added', () => {
  const rig = createRig();
  const host = rig.hosts.get('a', 16);
  const [a, b] = [rig.hosts.open(host), rig.hosts.open(host)];
  rig.hosts.faulted(a, refusal(START + 5000));
  expect(host.parkedUntil).toBe(START + 5500);
  rig.hosts.faulted(b, refusal(START + 60_000));
  expect(host.parkedUntil).toBe(START + 60_500);
});

test('after a refusal starts are spread by the pace, and probes that are refused do not slow it', () => {
  const rig = createRig();
  const host = rig.hosts.get('a', 16);
  for (let i = 0; i < 10; i++) probe(rig, host);
  probe(rig, host, refusal());
  const { perSecond } = host.pace;
  expect(perSecond).toBeCloseTo(7);
  rig.clock.now = host.parkedUntil;
  probe(rig, host, refusal());
  expect(host.pace.perSecond).toBe(perSecond);
  rig.clock.now = host.parkedUntil;
  probe(rig, host);
  expect(rig.hosts.mayStart(host)).toBe(false);
  rig.clock.now += Math.ceil(1000 / perSecond);
  expect(rig.hosts.mayStart(host)).toBe(true);
});

test('a host that did not answer has fewer connections and no pace', () => {
  const rig = createRig();
  const host = rig.hosts.get('a', 16);
  probe(rig, host, noAnswer());
  expect(host.pace.perSecond).toBe(Infinity);
  expect(host.limit).toBe(2);
});

test("the user's rate is dealt out by connections, a guest's evenly", () => {
  const { hosts } = createRig({ requestsPerSecondPerHost: 16 });
  for (const [host, gapMs] of [
    [hosts.get('own', 4), 250],
    [hosts.getGuest('guest', 1, 1 / 64), 4000],
  ] as const) {
    hosts.open(host);
    expect(host.nextStartAt).toBe(START + gapMs);
  }
});

test('a rate that is no whole number of milliseconds is kept, in whole milliseconds', () => {
  const rig = createRig({ requestsPerSecondPerHost: 300 });
  const host = rig.hosts.get('a', 16);
  let starts = 0;
  for (const end = START + 1000; rig.clock.now < end; rig.clock.now = rig.hosts.freeAt(host)) {
    expect(rig.clock.now % 1).toBe(0);
    probe(rig, host);
    starts += 1;
  }
  expect(starts).toBe(300);
});

test('a loop that wakes late keeps the rate all the same', () => {
  const rig = createRig({ requestsPerSecondPerHost: 1000 });
  const host = rig.hosts.get('a', 16);
  host.limit = 16;
  let starts = 0;
  for (; rig.clock.now < START + 1000; rig.clock.now += 10) {
    for (; rig.hosts.mayStart(host); starts++) probe(rig, host);
  }
  expect(starts).toBeGreaterThan(980);
});

test('what is known of a host goes on in the next turn: limit, pace, count, park', () => {
  const rig = createRig();
  const host = rig.hosts.get('a', 16);
  rig.hosts.get('never failed', 16);
  for (let i = 0; i < 5; i++) probe(rig, host);
  probe(rig, host, refusal(START + 3_600_000));
  const [known, ...others] = rig.hosts.snapshot(new Set(['a', 'never failed']));
  expect(others).toEqual([]);

  const next = createRig();
  const again = next.hosts.get('a', 16, JSON.parse(JSON.stringify(known)) as typeof known);
  const { limit, failures, strikes, parkedUntil } = host;
  expect(again).toMatchObject({ limit, failures, strikes, parkedUntil });
  expect(again.pace.perSecond).toBe(host.pace.perSecond);
  expect(next.hosts.mayStart(again)).toBe(false);
});

test('a host that nothing needs now is remembered as long as it is parked, since a redirect may lead there', () => {
  const rig = createRig();
  const host = rig.hosts.get('a', 16);
  probe(rig, host, refusal(START + 60_000));
  expect(rig.hosts.snapshot(new Set())).toMatchObject([{ host: 'a' }]);
  rig.clock.now = host.parkedUntil;
  expect(rig.hosts.snapshot(new Set())).toEqual([]);
});

test('a host that was given up is remembered as long as it is parked, so that a redirect finds it down', () => {
  const rig = createRig();
  const host = rig.hosts.get('a', 16);
  for (let i = 0; i < 3; i++) probe(rig, host, noAnswer());
  expect(rig.hosts.snapshot(new Set())).toMatchObject([{ host: 'a', down: { code: 'CONNECT_FAILED' } }]);
});

test('a start that a slow rate forbids is forbidden in the next turn too', () => {
  const rig = createRig({ requestsPerSecondPerHost: 0.01 });
  rig.hosts.open(rig.hosts.get('a', 16));
  expect(rig.hosts.snapshot(new Set(['a']))).toMatchObject([{ host: 'a', parkedUntil: START + 100_000 }]);
});

test('a redirect to a parked host is told when to come back', async () => {
  const rig = createRig();
  const host = rig.hosts.getGuest('a', 1, 1);
  probe(rig, host, refusal(START + 5000));
  await expect(rig.hosts.enter(host, signal)).rejects.toEqual(new HostParked(START + 5500));
});

test('beside a stream that flows, a host that failed is probed by one lent connection, and lends no more than it has', () => {
  const rig = createRig();
  const host = rig.hosts.get('a', 4);
  rig.hosts.open(host); // the stream, which says nothing for hours
  const lent = [rig.hosts.open(host), rig.hosts.open(host), rig.hosts.open(host)];
  expect(rig.hosts.mayLend(host, lent.length)).toBe(false);
  for (const slot of lent) rig.hosts.faulted(slot, refusal());
  for (const slot of lent) rig.hosts.close(slot);
  expect(rig.hosts.mayLend(host, 0)).toBe(false);
  rig.clock.now = host.parkedUntil;
  expect(rig.hosts.mayStart(host)).toBe(false);
  expect(rig.hosts.mayLend(host, 0)).toBe(true);
  expect(rig.hosts.mayLend(host, 1)).toBe(false);
  const probing = rig.hosts.open(host);
  rig.hosts.succeeded(probing);
  rig.hosts.close(probing);
  expect(host.failures).toBe(0);
});
