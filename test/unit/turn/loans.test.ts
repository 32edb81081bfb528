import { expect, test } from 'vitest';
import { DownloadError } from '../../../core/model/failure.ts';
import { createHosts } from '../../../core/turn/hosts.ts';
import { createLoans } from '../../../core/turn/loans.ts';

const { signal } = new AbortController();

test('a connection that is given back unused says nothing of its host, one that was answered speaks for it', async () => {
  const clock = { now: 1_000_000 };
  const now = () => clock.now;
  const hosts = createHosts({ now, random: () => 0.5, maxFailures: 3, connectionsPerHost: 16 });
  const host = hosts.get('a', 16);
  const loans = createLoans({ hosts, now, find: () => Promise.resolve(host), changed: () => undefined });
  const failed = hosts.open(host);
  hosts.faulted(failed, new DownloadError('CONNECT_FAILED', 'refused'));
  hosts.close(failed);
  clock.now = host.parkedUntil;

  for (const [use, failures] of [
    ['drop', 1],
    ['end', 0],
  ] as const) {
    const wish = loans.borrow('a', signal);
    await Promise.resolve();
    loans.serve(1);
    const loan = await wish;
    expect(loans.count).toBe(1);
    loan[use]();
    loan.end(); // nor does a second time
    expect({ failures: host.failures, open: host.open, lent: loans.count }).toEqual({ failures, open: 0, lent: 0 });
  }
});
