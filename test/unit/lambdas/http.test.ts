import { describe, expect, it } from 'vitest';
import type { StatusDocument } from '../../../http/documents.ts';
import { createApiHandler } from '../../../lambdas/api.ts';
import type { HttpAnswer } from '../../../lambdas/http-handler.ts';
import { createStatusHandler } from '../../../lambdas/status.ts';
import { httpEvent, type HttpRequest } from '../../helpers/lambda-events.ts';
import { createTestLog } from '../../helpers/log.ts';
import { createService, Death, dyingAt, takeTickets } from '../batch/service.ts';

const JSON_BODY = { 'content-type': 'application/json' };
const NO_BATCH = '01890a5d-ac96-774b-bcce-b302099a8057';

async function createFunctions() {
  const service = await createService();
  const { log, told } = createTestLog();
  const api = createApiHandler(service, log);
  const status = createStatusHandler(service, log);
  return {
    service,
    post: (request: HttpRequest) => api(httpEvent({ method: 'POST', ...request })),
    get: (path: string) => status(httpEvent({ path })),
    ask: (request: HttpRequest) => status(httpEvent(request)),
    log,
    logged: () => told.join(''),
  };
}

function documentOf({ body }: HttpAnswer): StatusDocument & { batches: object[]; errors: object[] } {
  return JSON.parse(body) as ReturnType<typeof documentOf>;
}

describe('the deployed API', () => {
  it('takes a list and answers with the batch, where it is, and when to ask again', async () => {
    const { post, get, service } = await createFunctions();
    const body = JSON.stringify({ name: 'first', urls: ['https://a.example/1', 'https://b.example/2'] });
    const answer = await post({ path: '/batches', headers: JSON_BODY, body });

    expect(answer).toMatchObject({ statusCode: 202, isBase64Encoded: false });
    const { id, ...status } = documentOf(answer);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/json',
      location: `/batches/${id}`,
      'retry-after': '2',
      'cache-control': 'no-store',
    });
    expect(status).toMatchObject({ name: 'first', state: 'running', total: 2, pending: 2 });
    expect(await takeTickets(service)).toContainEqual({ batchId: id, shard: 0 });
    expect(documentOf(await get(`/batches/${id}`))).toMatchObject({ id, total: 2 });
    expect(documentOf(await get('/batches?limit=5')).batches).toEqual([expect.objectContaining({ id, name: 'first' })]);
  });

  it('takes a text list with its options in the query', async () => {
    const { post } = await createFunctions();
    const answer = await post({
      path: '/batches?name=a%20list&connectionsPerHost=4&prefix=it/',
      headers: { 'content-type': 'text/plain' },
      body: 'https://a.example/1\nhttps://a.example/%C3%A9\n',
    });
    expect(documentOf(answer)).toMatchObject({
      name: 'a list',
      total: 2,
      options: { connectionsPerHost: 4, prefix: 'it/' },
    });
  });

  it('takes a body that the gateway did not take for text', async () => {
    const { post } = await createFunctions();
    const body = Buffer.from(JSON.stringify({ name: 'ünïcode', urls: ['https://a.example/1'] }));
    const answer = await post({ path: '/batches', headers: JSON_BODY, body });
    expect(documentOf(answer)).toMatchObject({ name: 'ünïcode', total: 1 });
  });

  it('refuses a list that is wrong as the API says', async () => {
    const { post } = await createFunctions();
    const answer = await post({ path: '/batches', headers: JSON_BODY, body: '{"urls":["ftp://a.example/"]}' });
    expect(answer.statusCode).toBe(422);
    expect(answer.headers?.['content-type']).toBe('application/problem+json');
    expect(documentOf(answer).errors).toEqual([expect.objectContaining({ line: 1 })]);
  });

  it('refuses a body that is too large', async () => {
    const { post } = await createFunctions();
    const body = 'a'.repeat(4 * 1024 ** 2 + 1);
    const answer = await post({ path: '/batches', headers: { 'content-type': 'text/plain' }, body });
    expect(answer.statusCode).toBe(413);
  });

  it('cancels a batch', async () => {
    const { post } = await createFunctions();
    const submitted = await post({ path: '/batches', headers: JSON_BODY, body: '{"urls":["https://a.example/1"]}' });
    const answer = await post({ path: `/batches/${documentOf(submitted).id}/cancel` });
    expect(answer.statusCode).toBe(202);
    expect(documentOf(answer)).toMatchObject({ state: 'cancelled', cancelled: 1 });
  });

  it('answers HEAD without a body', async () => {
    const { ask } = await createFunctions();
    expect(await ask({ method: 'HEAD', path: '/health' })).toMatchObject({ statusCode: 200, body: '' });
  });

  it.each([
    ['GET', '/', 404],
    ['GET', '/nothing?here', 404],
    ['GET', `/batches/${NO_BATCH}`, 404],
    ['GET', '/batches/no-id', 404],
    ['GET', `/batches/${NO_BATCH}/cancel`, 405],
    ['DELETE', '/batches', 405],
    ['OPTIONS', '/batches', 405],
    ['POST', '/nothing', 404],
    ['POST', '/health', 405],
    ['POST', `/batches/${NO_BATCH}`, 405],
    ['POST', `/batches/${NO_BATCH}/cancel`, 404],
  ])('answers %s %s with the problem %i, whichever function is asked', async (method, path, expected) => {
    const { post, ask } = await createFunctions();
    const answer = await (method === 'POST' ? post({ path }) : ask({ method, path }));
    expect(answer.statusCode).toBe(expected);
    expect(answer.headers?.['content-type']).toBe('application/problem+json');
  });

  it('tells an error that nobody foresaw to the log, and to the client only that there was one', async () => {
    const { service, log, logged } = await createFunctions();
    const status = createStatusHandler({ ...dyingAt(service, 1, 'before').service, files: service.files }, log);
    const answer = await status(httpEvent({ path: '/batches?cursor=01890a5d-ac96-774b-bcce-b302099a8057' }));
    expect(answer.statusCode).toBe(500);
    expect(answer.body).not.toContain(Death.name);
    const line = JSON.parse(logged()) as Record<string, string>;
    expect(line).toMatchObject({ level: 'ERROR', message: 'GET /batches failed' });
    expect(line.error).toMatch(/^Error: *\n +at /);
  });
});
