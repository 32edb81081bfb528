import { describe, expect, it } from 'vitest';
import { closeBatch } from '../../../core/batch/close.ts';
import { METADATA } from '../../../core/download/object-headers.ts';
import type { Outcome } from '../../../core/model/outcome.ts';
import type { FileDocument } from '../../../http/documents.ts';
import { createApp } from '../../../http/app.ts';
import { addReadRoutes } from '../../../http/read-app.ts';
import { addWriteRoutes } from '../../../http/write-app.ts';
import { outcome, settle } from '../../unit/batch/outcomes.ts';
import { createService, submit, urlsOf } from '../../unit/batch/service.ts';

/** A batch of one shard with these outcomes, and the API that tells of it. */
async function createBatch(outcomes: readonly Outcome[], options = {}) {
  const service = await createService({ maxShards: 1 });
  const errors: unknown[] = [];
  const app = createApp(
    { onError: (error) => errors.push(error) },
    (app) => addReadRoutes(app, service),
    (app) => addWriteRoutes(app, service),
  );
  const id = await submit(service, urlsOf(outcomes.length), { options });
  await settle(service, id, 0, outcomes, { finishedAt: service.clock.now() });
  const get = (query = '', accept?: string) =>
    app.request(`/batches/${id}/files${query}`, accept === undefined ? {} : { headers: { accept } });
  return { service, app, id, get, errors };
}

const mixed = [
  outcome(1, 'done', { sha256: 'ab', contentType: 'text/plain', lengthVerified: false }),
  outcome(2, 'failed', { message: 'a "quoted", odd\r\nmessage' }),
  outcome(3, 'skipped', { key: '=1+1' }),
];

describe('outcomes', () => {
  it.each([
    [undefined, 'application/json'],
    ['*/*', 'application/json'],
    ['application/*', 'application/json'],
    ['text/*', 'text/csv; charset=utf-8; header=present'],
    ['text/csv', 'text/csv; charset=utf-8; header=present'],
    ['application/x-ndjson', 'application/x-ndjson'],
    ['text/csv;q=0.5, application/x-ndjson;q=0.9', 'application/x-ndjson'],
    ['text/html, text/csv;q=0.1', 'text/csv; charset=utf-8; header=present'],
    ['application/json;q=0, */*;q=0.1', 'application/x-ndjson'],
    ['TEXT/CSV', 'text/csv; charset=utf-8; header=present'],
  ])('for Accept: %s come as %s', async (accept, type) => {
    const { get } = await createBatch(mixed);
    const answer = await get('', accept);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe(type);
    expect(answer.headers.get('vary')).toBe('accept');
  });

  it.each(['text/html', 'application/json;q=0', 'image/*'])('are refused for Accept: %s', async (accept) => {
    const { get } = await createBatch(mixed);
    const answer = await get('', accept);
    expect(answer.status).toBe(406);
    expect(await answer.json()).toMatchObject({ type: 'urn:downburst:problem:not-acceptable', status: 406 });
  });

  it('are CSV by RFC 4180, in which no spreadsheet finds a formula', async () => {
    const { get } = await createBatch(mixed);
    expect(await (await get('', 'text/csv')).text()).toBe(
      [
        'index,url,key,state,bytes,sha256,contentType,httpStatus,code,message,attempts,lengthVerified,settledAt,link',
        '1,https://a.example/1.jpg,a.example/1.jpg,done,10,ab,text/plain,,,,1,false,1970-01-01T00:00:00.000Z,',
        '2,https://a.example/2.jpg,a.example/2.jpg,failed,,,,404,NOT_FOUND,"a ""quoted"", odd\r\nmessage",1,,' +
          '1970-01-01T00:00:00.000Z,',
        "3,https://a.example/3.jpg,'=1+1,skipped,10,,,,,,1,,1970-01-01T00:00:00.000Z,",
        '',
      ].join('\r\n'),
    );
  });

  it('have a header row in CSV, and nothing in NDJSON, where there are none', async () => {
    const { get } = await createBatch([outcome(1, 'done')]);
    expect((await (await get('?state=failed', 'text/csv')).text()).split('\r\n')).toHaveLength(2);
    expect(await (await get('?state=failed', 'application/x-ndjson')).text()).toBe('');
  });

  it.each(['application/json', 'application/x-ndjson', 'text/csv'])('as %s lead to their next page', async (type) => {
    const { get, app, service, id } = await createBatch(mixed);
    await closeBatch(service, id);
    let pages = 0;
    let path: string | undefined = `/batches/${id}/files?limit=1&links=true&state=done`;
    while (path !== undefined) {
      const answer: Response = await app.request(path, { headers: { accept: type } });
      expect(answer.status).toBe(200);
      const link = answer.headers.get('link');
      path = /^<(\/batches\/[^>]*)>; rel="next"$/.exec(link ?? '')?.[1];
      expect(path === undefined).toBe(link === null);
      if (path !== undefined) expect(path).toMatch(/limit=1&links=true&state=done&cursor=/);
      if (type === 'application/json') {
        const { nextCursor } = (await answer.json()) as { nextCursor?: string };
        expect(nextCursor !== undefined).toBe(path !== undefined);
      }
      pages += 1;
    }
    expect(pages).toBe(2);
    expect((await get()).headers.get('link')).toBeNull();
  });

  it('that failed can be posted again as they were listed', async () => {
    const { get, app, service, id } = await createBatch(mixed);
    await closeBatch(service, id);
    const text = await (await get('?state=failed', 'application/x-ndjson')).text();
    expect(text).toBe(String(await service.state.get(`batches/${id}/failed.jsonl`)));
    const urls = text
      .trim()
      .split('\n')
      .map((line): unknown => JSON.parse(line));
    const again = await app.request('/batches', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ urls }),
    });
    expect(again.status).toBe(202);
    expect(await again.json()).toMatchObject({ total: 1 });
  });
});

describe('links', () => {
  it('are given to stored files, and to others that Downburst stored; only where they are asked for', async () => {
    const outcomes = [...mixed, outcome(4, 'skipped'), outcome(5, 'skipped'), outcome(6, 'done')];
    const { get, service } = await createBatch(outcomes, { prefix: 'shared/' });
    await service.files.put('shared/a.example/4.jpg', Buffer.from('the user´s own'));
    const ours = { metadata: { [METADATA.batch]: 'another', [METADATA.index]: '1' } };
    await service.files.put('shared/a.example/5.jpg', Buffer.from('ours'), ours);
    const list = async (query: string) => ((await (await get(query)).json()) as { files: FileDocument[] }).files;
    expect((await list('?links=true')).map(({ index, link }) => [index, link])).toEqual([
      [1, '/files/shared/a.example/1.jpg'],
      [2, undefined],
      [3, undefined],
      [4, undefined],
      [5, '/files/shared/a.example/5.jpg'],
      [6, '/files/shared/a.example/6.jpg'],
    ]);
    expect((await list('')).some((file) => 'link' in file)).toBe(false);
    expect((await get('?links=yes')).status).toBe(422);
  });
});

it('a page stays below what the gateway can carry, however long its URLs are', async () => {
  const long = 'x'.repeat(8000);
  const outcomes = Array.from({ length: 900 }, (_, i) => outcome(i + 1, 'done', { url: `https://a.example/${long}` }));
  const { app, service, id } = await createBatch(outcomes);
  await closeBatch(service, id);
  const seen: number[] = [];
  let path: string | undefined = `/batches/${id}/files?limit=1000&links=true`;
  while (path !== undefined) {
    const answer: Response = await app.request(path);
    const text = await answer.text();
    expect(text.length).toBeLessThan(4 * 1024 ** 2);
    const { files, nextCursor } = JSON.parse(text) as { files: FileDocument[]; nextCursor?: string };
    seen.push(...files.map(({ index }) => index));
    path = nextCursor === undefined ? undefined : `/batches/${id}/files?limit=1000&links=true&cursor=${nextCursor}`;
  }
  expect(seen).toEqual(outcomes.map(({ index }) => index));
});
