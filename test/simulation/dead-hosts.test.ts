import { expect, test } from 'vitest';
import { DownloadError } from '../../core/model/failure.ts';
import { LINGER_MS } from '../../core/model/limits.ts';
import { hostOf } from '../../core/model/entry.ts';
import { createFleet, type Behaviour } from './fleet.ts';
import { outcomesOf } from './invariants.ts';

const ENTRIES_PER_HOST = 10;
const FILE_MS = 200;
const CONNECT_TIMEOUT_MS = 10_000;

/** 300 hosts, every tenth of them dead in one of three ways. */
const hosts = Array.from({ length: 300 }, (_, i) => {
  const kind = i % 10 === 0 ? (['refused', 'nameless', 'hole'] as const)[(i / 10) % 3] : 'live';
  return `https://${kind ?? 'live'}${i}.test`;
});
const list = (of: string[]) =>
  of.flatMap((host) => Array.from({ length: ENTRIES_PER_HOST }, (_, i) => `${host}/${i}.bin`));

function createSource() {
  const requests = new Map<string, number>();
  let lastLiveAt = 0;
  const behave: Behaviour = async ({ entry }, sleep, store) => {
    const host = hostOf(entry.url);
    requests.set(host, (requests.get(host) ?? 0) + 1);
    if (host.includes('refused')) throw new DownloadError('CONNECT_FAILED', 'refused');
    if (host.includes('nameless')) throw new DownloadError('UNKNOWN_HOST', 'no such name');
    if (host.includes('hole')) {
      await sleep(CONNECT_TIMEOUT_MS);
      throw new DownloadError('CONNECT_TIMEOUT', 'no answer');
    }
    await sleep(FILE_MS);
    const stored = await store();
    lastLiveAt = fleet.scheduler.now;
    return stored;
  };
  const fleet = createFleet(behave);
  const startedAt = fleet.scheduler.now;
  return { fleet, requests, liveMs: () => lastLiveAt - startedAt };
}

test('30 dead hosts of 300 slow nobody down, end as failed after their probes, and no turn waits for them', async () => {
  const healthy = createSource();
  await healthy.fleet.work(list(hosts.filter((host) => host.includes('live'))));

  const { fleet, requests, liveMs } = createSource();
  const id = await fleet.work(list(hosts));

  const shards = fleet.servers.shardsOf(id);
  const outcomes = shards.flatMap((shard) => outcomesOf(fleet.servers, shard));
  expect(outcomes).toHaveLength(3000);
  for (const { url, state, code } of outcomes) {
    if (url.includes('live')) expect(state, url).toBe('done');
    else if (url.includes('nameless')) expect(code, url).toBe('UNKNOWN_HOST');
    else expect(['HOST_DOWN', 'CONNECT_FAILED', 'CONNECT_TIMEOUT'], url).toContain(code);
  }
  // Four connections before anything is known of a host, then five probes.
  for (const host of hosts) {
    if (host.includes('refused') || host.includes('hole')) expect(requests.get(host), host).toBeLessThanOrEqual(4 + 5);
  }
  expect(liveMs()).toBeLessThanOrEqual(1.25 * healthy.liveMs());
  for (const { idleMs, shard } of fleet.turns)
    expect(idleMs, `a turn of shard ${shard}`).toBeLessThanOrEqual(LINGER_MS);
});
