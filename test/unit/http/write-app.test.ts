import { describe, expect, it } from 'vitest';
import type { ProblemDocument } from '../../../http/problem.ts';
import { createWriteApp } from '../../../http/write-app.ts';
import { createService } from '../batch/service.ts';

/** What is of no use to some gateway, which leaves it out or writes it anew, and must be refused where it arrives. */
describe('an API that requests reach as they were sent', () => {
  const body = '{"urls":["https://a.example/1"]}';

  it.each([
    ['is empty', ''],
    ['is not ASCII', '\xe9'],
    ['comes twice', 'a, b'],
  ])('refuses an idempotency key that %s', async (_, key) => {
    const service = await createService();
    const app = createWriteApp(service, { onError: (error) => expect.fail(String(error)) });
    const headers = { 'content-type': 'application/json', 'idempotency-key': key };
    const answer = await app.request('/batches', { method: 'POST', headers, body });
    expect(answer.status).toBe(422);
    expect(((await answer.json()) as ProblemDocument).errors?.map(({ field }) => field)).toEqual(['Idempotency-Key']);
    expect(await service.ledger.listOpen()).toEqual([]);
  });

  it('refuses another batch while as many are open as may be, and says when to ask again', async () => {
    const service = await createService({ maxOpenBatches: 2 });
    const app = createWriteApp(service, { onError: (error) => expect.fail(String(error)) });
    const post = (key?: string) =>
      app.request('/batches', {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(key !== undefined && { 'idempotency-key': key }) },
        body,
      });
    expect((await post()).status).toBe(202);
    const second = await post('k');
    expect(second.status).toBe(202);
    const refused = await post('other');
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await refused.json()).toMatchObject({ type: 'urn:downburst:problem:too-many-batches' });
    // What was started is answered all the same.
    expect((await post('k')).headers.get('location')).toBe(second.headers.get('location'));
    const id = second.headers.get('location')?.split('/').at(-1) ?? '';
    expect((await app.request(`/batches/${id}/cancel`, { method: 'POST' })).status).toBe(202);
    expect((await post('other')).status).toBe(202);
  });
});
