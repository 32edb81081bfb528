import { setImmediate } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { createReadApp } from '../../../http/read-app.ts';
import type { StatusDocument } from '../../../http/documents.ts';
import { serveHttp } from '../../../local/http-server.ts';
import { createService, submit, urlsOf } from '../../unit/batch/service.ts';

const TIMEOUT_MS = 20_000;

/** The server of one machine over a driven clock, and a batch that nobody works. */
async function startWaiting() {
  const service = await createService();
  const id = await submit(service, urlsOf(1));
  let reads = 0;
  const ledger: typeof service.ledger = {
    ...service.ledger,
    readProgress: (batchId) => {
      reads += 1;
      return service.ledger.readProgress(batchId);
    },
  };
  const app = createReadApp({ ...service, ledger }, { onError: (error) => expect.fail(String(error)) });
  const server = await serveHttp(app, 0);
  onTestFinished(() => server.close());
  const { clock } = service;
  const gone = new AbortController();
  const answer = fetch(`${server.url}/batches/${id}/wait`, { signal: gone.signal });
  while (clock.pending() === 0) await setImmediate();
  return { clock, answer, hangUp: () => gone.abort(), reads: () => reads };
}

it('a client that hangs up costs nothing further', async () => {
  const { clock, answer, hangUp, reads } = await startWaiting();
  hangUp();
  await expect(answer).rejects.toThrow();
  while (clock.pending() > 0) await setImmediate();
  const before = reads();
  await clock.advance(TIMEOUT_MS);
  expect(reads()).toBe(before);
});

it('a client that stays is answered when its time is up', async () => {
  const { clock, answer } = await startWaiting();
  const end = clock.now() + TIMEOUT_MS;
  while (clock.now() < end) {
    await clock.advanceTo(Math.min(end, clock.nextDue() ?? end));
    while (clock.pending() === 0 && clock.now() < end) await setImmediate();
  }
  const response = await answer;
  expect(response.status).toBe(200);
  expect((await response.json()) as StatusDocument).toMatchObject({ state: 'running', pending: 1 });
});
