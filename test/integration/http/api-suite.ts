import { request } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FieldError, ProblemDocument } from '../../../http/problem.ts';
import type { BatchItemDocument, FileDocument, StatusDocument } from '../../../http/status-document.ts';
import { fileBody, fileSha256, startFileOrigin } from '../local/file-origin.ts';

/** An id of the right form that no batch has. */
const NO_BATCH = '01890a5d-ac96-774b-bcce-b302099a8057';
const MIB = 1024 ** 2;

/** A service with its workers, allowed to download from loopback. */
export interface ApiHost {
  url: string;
  close: () => Promise<void>;
}

/** What every host of the HTTP API must answer. */
export function describeApi(name: string, start: () => Promise<ApiHost>): void {
  describe(`the HTTP API, ${name}`, () => {
    let host: ApiHost;
    let url: string;
    beforeAll(async () => {
      host = await start();
      url = host.url;
    });
    afterAll(() => host.close());

    describe('POST /batches', () => {
      it('takes a JSON list and answers with the batch, where it is, and when to ask again', async () => {
        const origin = await startFileOrigin();
        origin.holdAfter(0);
        const answer = await post(url, { name: 'three files', urls: [0, 1, 2].map(origin.file) });

        expect(answer.status).toBe(202);
        expect(answer.headers.get('content-type')).toBe('application/json');
        expect(answer.headers.get('cache-control')).toBe('no-store');
        expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
        const status = (await answer.json()) as StatusDocument;
        expect(answer.headers.get('location')).toBe(`/batches/${status.id}`);
        expect(status).toMatchObject({
          name: 'three files',
          total: 3,
          duplicates: 0,
          done: 0,
          failed: 0,
          skipped: 0,
          cancelled: 0,
          pending: 3,
          bytes: 0,
          failures: {},
          warnings: [],
          links: {
            self: `/batches/${status.id}`,
            files: `/batches/${status.id}/files`,
            cancel: `/batches/${status.id}/cancel`,
          },
        });
        expect(status).not.toHaveProperty('finishedAt');
        expect(new Date(status.createdAt).toISOString()).toBe(status.createdAt);
        expect(Date.parse(status.deadline) - Date.parse(status.createdAt)).toBe(7 * 24 * 60 * 60 * 1000);
      });

      it('takes a text list, its options in the query', async () => {
        const origin = await startFileOrigin();
        const query =
          'name=a+list&connectionsPerHost=4&timeouts.idleMs=5000&lowSpeed.seconds=9&prefix=it/&userAgent=42';
        const answer = await fetch(`${url}/batches?${query}`, {
          method: 'POST',
          headers: { 'content-type': 'Text/Plain; charset="UTF-8"' },
          body: `\uFEFF# a comment\r\n${origin.file(1)}\r\n\r\n  ${origin.file(2)}  \n${origin.file(1)}`,
        });
        expect(answer.status).toBe(202);
        expect(await answer.json()).toMatchObject({
          name: 'a list',
          total: 2,
          duplicates: 1,
          options: {
            prefix: 'it/',
            connectionsPerHost: 4,
            timeouts: { connectMs: 10_000, idleMs: 5000 },
            lowSpeed: { bytesPerSecond: 1024, seconds: 9 },
            userAgent: '42',
          },
        });
      });

      it('shows options as they can be sent again', async () => {
        const origin = await startFileOrigin();
        const first = (await (await post(url, { urls: [origin.file(1)] })).json()) as StatusDocument;
        const again = await post(url, { urls: [origin.file(1)], options: first.options });
        expect(again.status).toBe(202);
        expect(((await again.json()) as StatusDocument).options).toEqual(first.options);
      });

      it('never shows request headers again', async () => {
        const origin = await startFileOrigin();
        const secret = 'Bearer s3cr3t';
        const urls = [{ url: origin.file(1), headers: { 'x-entry': secret } }, `${origin.url}/missing?token=${secret}`];
        const { id } = (await (
          await post(url, { urls, options: { headers: { authorization: secret } } })
        ).json()) as StatusDocument;
        await finished(url, id);
        for (const path of ['/batches', `/batches/${id}`, `/batches/${id}/files`]) {
          const text = await (await fetch(url + path)).text();
          expect(text).not.toContain('authorization');
          if (!path.endsWith('/files')) expect(text).not.toContain('s3cr3t');
        }
      });

      const badLists: [string, unknown[], Partial<FieldError>][] = [
        ['a URL that is none', ['http://127.0.0.1/a', 'not a url'], { line: 2, field: 'url', value: 'not a url' }],
        ['another scheme', ['file:///etc/passwd'], { line: 1, field: 'url' }],
        ['a number', [7], { line: 1 }],
        ['null', [null], { line: 1 }],
        ['an array', [['http://127.0.0.1/']], { line: 1 }],
        ['an entry without URL', [{ key: 'a' }], { line: 1, field: 'url' }],
        ['an unknown field', [{ url: 'http://127.0.0.1/', sha1: 'x' }], { line: 1, field: 'sha1' }],
        ['a key that climbs', [{ url: 'http://127.0.0.1/', key: '../a' }], { line: 1, field: 'key' }],
        [
          'a header that is none',
          [{ url: 'http://127.0.0.1/', headers: { 'a b': 'c' } }],
          { line: 1, field: 'headers.a' },
        ],
        [
          'two URLs with one key',
          [
            { url: 'http://127.0.0.1/a', key: 'k' },
            { url: 'http://127.0.0.1/b', key: 'k' },
          ],
          { field: 'key' },
        ],
      ];

      it.each(badLists)('refuses a list with %s, by line and field', async (_, urls, error) => {
        const before = await newest(url);
        const problem = await refused(post(url, { urls }), 422, 'invalid-list');
        expect(problem.errors).toEqual([expect.objectContaining(error)]);
        expect(await newest(url)).toEqual(before);
      });

      it('names the first 100 bad entries of many', async () => {
        const urls = Array.from({ length: 300 }, (_, n) => (n % 2 ? `bad ${n}` : `http://127.0.0.1/${n}`));
        const problem = await refused(post(url, { urls }), 422, 'invalid-list');
        expect(problem.errors?.map(({ line }) => line)).toEqual(Array.from({ length: 100 }, (_, n) => 2 * n + 2));
      });

      it('refuses an empty list', async () => {
        await refused(post(url, { urls: [] }), 422, 'invalid-list');
        await refused(postText(url, ''), 422, 'invalid-list');
        await refused(postText(url, '# nothing\n\n'), 422, 'invalid-list');
      });

      it('repeats no credentials of a URL that it refuses', async () => {
        const answer = await post(url, { urls: ['http://user:s3cr3t@127.0.0.1/?token=s3cr3t'] });
        expect(answer.status).toBe(422);
        expect(await answer.text()).not.toContain('s3cr3t');
      });

      const good = ['http://127.0.0.1/a'];
      it.each([
        ['an array', [], ''],
        ['a string', 'http://127.0.0.1/', ''],
        ['null', null, ''],
        ['no urls', {}, 'urls'],
        ['urls that are no list', { urls: 'http://127.0.0.1/' }, 'urls'],
        ['an unknown field', { urls: good, callback: 'x' }, 'callback'],
        ['an unknown option', { urls: good, options: { speed: 1 } }, 'options.speed'],
        ['an unknown time limit', { urls: good, options: { timeouts: { readMs: 1000 } } }, 'options.timeouts.readMs'],
        ['an internal option', { urls: good, options: { ownPrefix: true } }, 'options.ownPrefix'],
        ['a name that is too long', { urls: good, name: 'x'.repeat(201) }, 'name'],
        ['an empty name', { urls: good, name: '' }, 'name'],
        ['a number as text', { urls: good, options: { maxAttempts: '3' } }, 'options.maxAttempts'],
        ['a fraction', { urls: good, options: { maxAttempts: 1.5 } }, 'options.maxAttempts'],
        ['too small a number', { urls: good, options: { maxAttempts: 0 } }, 'options.maxAttempts'],
        ['too large a number', { urls: good, options: { timeouts: { idleMs: 1e9 } } }, 'options.timeouts.idleMs'],
        ['an unknown choice', { urls: good, options: { ifExists: 'ask' } }, 'options.ifExists'],
        ['a bad prefix', { urls: good, options: { prefix: '../' } }, 'options.prefix'],
        ['a bad key template', { urls: good, options: { keyTemplate: '{nothing}' } }, 'options.keyTemplate'],
        ['a user agent with a line break', { urls: good, options: { userAgent: 'a\r\nb: c' } }, 'options.userAgent'],
        ['headers that are no object', { urls: good, options: { headers: 'a: b' } }, 'options.headers'],
        ['a header that is no text', { urls: good, options: { headers: { a: 1 } } }, 'options.headers.a'],
        ['a header with a line break', { urls: good, options: { headers: { a: 'b\r\nc: d' } } }, 'options.headers.a'],
        ['a reserved header', { urls: good, options: { headers: { Host: 'x' } } }, 'options.headers.Host'],
      ])('refuses %s by name', async (_, body, field) => {
        const before = await newest(url);
        const problem = await refused(post(url, body), 422, 'invalid-request');
        expect(problem.errors?.map((error) => error.field)).toEqual([field]);
        expect(await newest(url)).toEqual(before);
      });

      it.each([
        ['a prototype', '"options":{"__proto__":{"maxBytes":1}}', 'options.__proto__'],
        ['a number beyond all', '"options":{"maxBytes":1e999}', 'options.maxBytes'],
      ])('refuses %s by name', async (_, json, field) => {
        const problem = await refused(postJson(url, `{"urls":["http://127.0.0.1/"],${json}}`), 422, 'invalid-request');
        expect(problem.errors?.map((error) => error.field)).toEqual([field]);
      });

      it.each([
        ['an unknown parameter', 'speed=1', 'speed'],
        ['an unknown parameter of a group', 'timeouts.readMs=1', 'timeouts.readMs'],
        ['a group as a whole', 'timeouts=1', 'timeouts'],
        ['a prototype', '__proto__=1', '__proto__'],
        ['a number that is none', 'maxAttempts=three', 'maxAttempts'],
        ['an empty number', 'maxAttempts=', 'maxAttempts'],
        ['a hexadecimal number', 'maxAttempts=0x3', 'maxAttempts'],
        ['a parameter twice', 'maxAttempts=3&maxAttempts=4', 'maxAttempts'],
        ['headers', 'headers.authorization=x', 'headers'],
        ['a bad prefix', 'prefix=../', 'prefix'],
      ])('refuses %s in the query of a text list by name', async (_, query, field) => {
        const problem = await refused(postText(url, good.join('\n'), query), 422, 'invalid-request');
        expect(problem.errors?.map((error) => error.field)).toEqual([field]);
      });

      it('takes options of a JSON list from its body only', async () => {
        const answer = fetch(`${url}/batches?maxAttempts=3`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ urls: good }),
        });
        expect((await refused(answer, 422, 'invalid-request')).errors?.[0]?.field).toBe('maxAttempts');
      });

      it.each([
        ['nothing', ''],
        ['half of it', '{"urls": ["http://127.0.0.1/"'],
        ['text', 'http://127.0.0.1/'],
        ['a comma too many', '{"urls": ["http://127.0.0.1/",]}'],
        ['a secret in a broken body', '{"urls": [], "options": {"headers": {"authorization": "s3cr3t}'],
      ])('refuses %s where JSON is announced, and repeats nothing of it', async (_, body) => {
        const problem = await refused(postJson(url, body), 400, 'invalid-json');
        expect(JSON.stringify(problem)).not.toContain('s3cr3t');
      });

      it('says where a JSON body goes wrong', async () => {
        const problem = await refused(postJson(url, '{"urls": []\n "name": "x"}'), 400, 'invalid-json');
        expect(problem.detail).toContain('line 2 column 2');
      });

      it.each(['application/json', 'text/plain'])('refuses bytes that are not UTF-8 as %s', async (type) => {
        const body = Buffer.from('"http://127.0.0.1/caf\xe9"', 'latin1');
        const answer = fetch(`${url}/batches`, { method: 'POST', headers: { 'content-type': type }, body });
        await refused(answer, 400, 'invalid-text');
      });

      it.each([
        ['no Content-Type', {}, 'unsupported-media-type'],
        ['an empty Content-Type', { 'content-type': '' }, 'unsupported-media-type'],
        ['a form', { 'content-type': 'application/x-www-form-urlencoded' }, 'unsupported-media-type'],
        ['XML', { 'content-type': 'application/xml' }, 'unsupported-media-type'],
        ['another character set', { 'content-type': 'text/plain; charset=iso-8859-1' }, 'unsupported-media-type'],
        ['gzip', { 'content-type': 'text/plain', 'content-encoding': 'gzip' }, 'unsupported-encoding'],
        ['an unknown encoding', { 'content-type': 'text/plain', 'content-encoding': 'x' }, 'unsupported-encoding'],
      ])('refuses a body of %s', async (_, headers, type) => {
        const body = Buffer.from(good.join('\n'));
        await refused(fetch(`${url}/batches`, { method: 'POST', headers, body }), 415, type);
      });

      it('refuses a body of more than 4 MiB, however it is framed, and goes on serving', async () => {
        const before = await newest(url);
        const big = Buffer.alloc(4 * MIB + 1, 'a');
        const headers = { 'content-type': 'text/plain' };
        const whole = await exchange(`${url}/batches`, 'POST', headers, [big]);
        const chunked = await exchange(`${url}/batches`, 'POST', headers, [big.subarray(MIB), big.subarray(0, MIB)]);
        for (const { status, body } of [whole, chunked]) {
          expect(status).toBe(413);
          expect(JSON.parse(body)).toMatchObject({ type: 'urn:downburst:problem:body-too-large', status: 413 });
        }
        expect(await newest(url)).toEqual(before);
      });

      it('takes a body of 4 MiB', async () => {
        const origin = await startFileOrigin();
        const body = `${origin.file(1)}\n`.padEnd(4 * MIB, '#');
        expect((await postText(url, body)).status).toBe(202);
      });

      it.each([
        ['nested deeper than any stack', `{"urls":[${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}]}`],
        [
          'nested in its options',
          `{"urls":[],"options":{"timeouts":${'{"a":'.repeat(500_000)}1${'}'.repeat(500_000)}}}`,
        ],
        ['of one endless string', JSON.stringify({ urls: ['x'.repeat(4_000_000)] })],
        ['of a million entries', `{"urls":[${'1,'.repeat(1_000_000)}1]}`],
        [
          'of an entry with 300,000 fields',
          `{"urls":[{${Array.from({ length: 300_000 }, (_, n) => `"${n}":1`).join(',')}}]}`,
        ],
        ['of half characters', '{"urls":["http://127.0.0.1/\\ud800"],"name":"\\ud800","x":1}'],
        [
          'of a quarter of a million fields',
          `{"urls":[],${Array.from({ length: 250_000 }, (_, n) => `"${n}":1`).join(',')}}`,
        ],
      ])('refuses a body %s with an answer of modest size', async (_, body) => {
        const answer = await postJson(url, body);
        expect(answer.status).toBe(422);
        expect((await answer.text()).length).toBeLessThan(100_000);
      });
    });

    describe('GET /batches/{id}', () => {
      it('tells that a batch is finished and what came of it', async () => {
        const origin = await startFileOrigin();
        const urls = [origin.file(1), origin.file(2), `${origin.url}/missing`];
        const { id } = (await (await post(url, { urls })).json()) as StatusDocument;
        const status = await finished(url, id);
        expect(status).toMatchObject({
          id,
          state: 'finished',
          total: 3,
          done: 2,
          failed: 1,
          pending: 0,
          retrying: 0,
          bytes: fileBody(1).length + fileBody(2).length,
          failures: { NOT_FOUND: 1 },
          shards: { working: 0 },
        });
        expect(status.shards.finished).toBe(status.shards.total);
        expect(Date.parse(status.finishedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(status.createdAt));
        expect(status.links).not.toHaveProperty('cancel');
        const answer = await fetch(`${url}/batches/${id}`);
        expect(answer.headers.get('retry-after')).toBeNull();
      });

      it.each([NO_BATCH, NO_BATCH.toUpperCase(), 'x', '..%2f..%2fetc', '%00', '%zz', '%', 'x'.repeat(5000)])(
        'does not know %s',
        async (id) => {
          await refused(fetch(`${url}/batches/${id}`), 404, 'unknown-batch');
          await refused(fetch(`${url}/batches/${id}/files`), 404, 'unknown-batch');
          await refused(fetch(`${url}/batches/${id}/cancel`, { method: 'POST' }), 404, 'unknown-batch');
        },
      );
    });

    describe('GET /batches/{id}/files', () => {
      it('lists every outcome once, page by page', async () => {
        const origin = await startFileOrigin();
        const numbers = Array.from({ length: 25 }, (_, n) => n);
        const { id } = (await (await post(url, { urls: numbers.map(origin.file) })).json()) as StatusDocument;
        await finished(url, id);

        const files: FileDocument[] = [];
        let cursor = '';
        do {
          const page = (await (await fetch(`${url}/batches/${id}/files?limit=10${cursor}`)).json()) as FilesPage;
          expect(page.files.length).toBeLessThanOrEqual(10);
          files.push(...page.files);
          cursor = page.nextCursor === undefined ? '' : `&cursor=${encodeURIComponent(page.nextCursor)}`;
        } while (cursor !== '');
        files.sort((a, b) => a.index - b.index);
        expect(files.map(({ index }) => index)).toEqual(numbers.map((n) => n + 1));
        for (const [n, file] of files.entries()) {
          expect(file).toMatchObject({
            url: origin.file(n),
            state: 'done',
            bytes: fileBody(n).length,
            sha256: fileSha256(n),
            httpStatus: 200,
            attempts: 1,
          });
          expect(new Date(file.settledAt).toISOString()).toBe(file.settledAt);
        }
      });

      it('lists those of one state only, and says why files failed', async () => {
        const origin = await startFileOrigin();
        const urls = [origin.file(1), `${origin.url}/missing`];
        const { id } = (await (await post(url, { urls })).json()) as StatusDocument;
        await finished(url, id);
        const list = async (state: string) =>
          ((await (await fetch(`${url}/batches/${id}/files?state=${state}`)).json()) as FilesPage).files;
        expect(await list('failed')).toEqual([
          expect.objectContaining({ index: 2, url: urls[1], state: 'failed', code: 'NOT_FOUND', httpStatus: 404 }),
        ]);
        expect((await list('done')).map(({ index }) => index)).toEqual([1]);
        expect(await list('skipped')).toEqual([]);
      });

      it.each([
        ['state=pending', 'state'],
        ['limit=0', 'limit'],
        ['limit=1001', 'limit'],
        ['limit=ten', 'limit'],
        ['limit=', 'limit'],
        ['cursor=', 'cursor'],
        ['cursor=%00garbage', 'cursor'],
        ['page=2', 'page'],
        ['limit=1&limit=2', 'limit'],
      ])('refuses ?%s by name', async (query, field) => {
        const origin = await startFileOrigin();
        const { id } = (await (await post(url, { urls: [origin.file(1)] })).json()) as StatusDocument;
        const problem = await refused(fetch(`${url}/batches/${id}/files?${query}`), 422, 'invalid-request');
        expect(problem.errors?.map((error) => error.field)).toEqual([field]);
      });
    });

    describe('GET /batches', () => {
      it('lists batches newest first, page by page', async () => {
        const origin = await startFileOrigin();
        const ids: string[] = [];
        for (const name of ['one', 'two', 'three']) {
          const status = (await (await post(url, { name, urls: [origin.file(1)] })).json()) as StatusDocument;
          ids.unshift(status.id);
          await finished(url, status.id);
        }
        const listed: BatchItemDocument[] = [];
        let cursor = '';
        do {
          const page = (await (await fetch(`${url}/batches?limit=2${cursor}`)).json()) as BatchesPage;
          expect(page.batches.length).toBeLessThanOrEqual(2);
          listed.push(...page.batches);
          cursor = page.nextCursor === undefined ? '' : `&cursor=${encodeURIComponent(page.nextCursor)}`;
        } while (cursor !== '');
        expect(listed[0]).toMatchObject({ name: 'three', state: 'finished', total: 1 });
        expect(listed[0]?.finishedAt).toBeDefined();
        expect(listed.slice(0, 3).map(({ id }) => id)).toEqual(ids);
        expect(new Set(listed.map(({ id }) => id)).size).toBe(listed.length);
      });

      it('refuses a garbled cursor', async () => {
        const problem = await refused(fetch(`${url}/batches?cursor=%00garbage`), 422, 'invalid-request');
        expect(problem.errors?.map((error) => error.field)).toEqual(['cursor']);
      });
    });

    describe('POST /batches/{id}/cancel', () => {
      it('ends a batch; what is left counts as cancelled, and doing it again changes nothing', async () => {
        const origin = await startFileOrigin();
        origin.holdAfter(0);
        const { id } = (await (await post(url, { urls: [0, 1, 2].map(origin.file) })).json()) as StatusDocument;
        const cancel = () => fetch(`${url}/batches/${id}/cancel`, { method: 'POST' });
        const answer = await cancel();
        expect(answer.status).toBe(202);
        expect(['cancelling', 'cancelled']).toContain(((await answer.json()) as StatusDocument).state);
        expect(await finished(url, id)).toMatchObject({ state: 'cancelled', cancelled: 3, done: 0, pending: 0 });
        expect((await cancel()).status).toBe(202);
      });

      it('does not go with a finished batch', async () => {
        const origin = await startFileOrigin();
        const { id } = (await (await post(url, { urls: [origin.file(1)] })).json()) as StatusDocument;
        await finished(url, id);
        await refused(fetch(`${url}/batches/${id}/cancel`, { method: 'POST' }), 409, 'batch-state');
      });
    });

    describe('any path', () => {
      it('is answered with what it takes when the method is another', async () => {
        for (const [method, path, allow] of [
          ['PUT', '/batches', 'GET, HEAD, POST'],
          ['DELETE', `/batches/${NO_BATCH}`, 'GET, HEAD'],
          ['POST', `/batches/${NO_BATCH}`, 'GET, HEAD'],
          ['POST', `/batches/${NO_BATCH}/files`, 'GET, HEAD'],
          ['GET', `/batches/${NO_BATCH}/cancel`, 'POST'],
          ['PATCH', '/health', 'GET, HEAD'],
          ['OPTIONS', '/batches', 'GET, HEAD, POST'],
          ['TRACE', '/batches', 'GET, HEAD, POST'],
        ] as const) {
          const { status, headers, body } = await exchange(url + path, method);
          expect({ method, path, status, allow: headers.allow }).toEqual({ method, path, status: 405, allow });
          expect(JSON.parse(body)).toMatchObject({ type: 'urn:downburst:problem:method-not-allowed' });
        }
      });

      it.each([
        '/',
        '/batch',
        '/batches/',
        '/BATCHES',
        `/batches/${NO_BATCH}/`,
        `/batches/${NO_BATCH}/x`,
        '//batches',
        '/health/x',
      ])('that is not there is not found: %s', async (path) => {
        const { status, body } = await exchange(url + path, 'GET');
        expect(status).toBe(404);
        expect(JSON.parse(body)).toMatchObject({ type: 'urn:downburst:problem:unknown-route', status: 404 });
      });

      it('answers HEAD as GET without a body', async () => {
        expect(await exchange(`${url}/batches`, 'HEAD')).toMatchObject({ status: 200, body: '' });
        expect(await exchange(`${url}/batches/${NO_BATCH}`, 'HEAD')).toMatchObject({ status: 404, body: '' });
      });

      it('takes no query that it does not know', async () => {
        await refused(fetch(`${url}/batches?state=done`), 422, 'invalid-request');
        await refused(fetch(`${url}/batches/${NO_BATCH}?verbose=1`), 422, 'invalid-request');
        await refused(fetch(`${url}/batches/${NO_BATCH}/cancel?now=1`, { method: 'POST' }), 422, 'invalid-request');
      });
    });

    it('tells that it is up', async () => {
      const answer = await fetch(`${url}/health`);
      expect(answer.status).toBe(200);
      expect(await answer.json()).toEqual({ status: 'ok' });
    });
  });
}

interface FilesPage {
  files: FileDocument[];
  nextCursor?: string;
}

interface BatchesPage {
  batches: BatchItemDocument[];
  nextCursor?: string;
}

function post(url: string, body: unknown): Promise<Response> {
  return postJson(url, JSON.stringify(body));
}

/** Posts a text as JSON, whether it is or not. */
function postJson(url: string, body: string): Promise<Response> {
  return fetch(`${url}/batches`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
}

function postText(url: string, body: string, query = ''): Promise<Response> {
  return fetch(`${url}/batches?${query}`, { method: 'POST', headers: { 'content-type': 'text/plain' }, body });
}

/** The newest batch, to tell whether another one was started. */
async function newest(url: string): Promise<string | undefined> {
  return ((await (await fetch(`${url}/batches?limit=1`)).json()) as BatchesPage).batches[0]?.id;
}

/** The status of a batch once it is closed. */
async function finished(url: string, id: string): Promise<StatusDocument> {
  for (;;) {
    const status = (await (await fetch(`${url}/batches/${id}`)).json()) as StatusDocument;
    if (status.finishedAt !== undefined) return status;
    // Asking without a pause would take the time of what is asked about.
    await setTimeout(20);
  }
}

/** Expects a problem, and answers its document. */
async function refused(answer: Promise<Response>, status: number, type: string): Promise<ProblemDocument> {
  const response = await answer;
  const problem = (await response.json()) as ProblemDocument;
  expect(problem).toMatchObject({ type: `urn:downburst:problem:${type}`, status });
  expect(problem.title).not.toBe('');
  expect(problem.detail).not.toBe('');
  expect(response.status).toBe(status);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(response.headers.get('cache-control')).toBe('no-store');
  return problem;
}

interface Exchange {
  status: number | undefined;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

/** One request by node:http, for what fetch refuses to send. One chunk goes with its length, several go chunked. */
function exchange(url: string, method: string, headers: Record<string, string> = {}, chunks: Buffer[] = []) {
  return new Promise<Exchange>((resolve, reject) => {
    const length = chunks.length === 1 ? { 'content-length': String(chunks[0]?.length) } : {};
    const outgoing = request(url, { method, headers: { ...headers, ...length } }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body }));
    });
    let answered = false;
    outgoing.on('response', () => (answered = true));
    // A server that has answered may hang up on the rest of a body.
    outgoing.on('error', (error) => (answered ? undefined : reject(error)));
    for (const chunk of chunks) outgoing.write(chunk);
    outgoing.end();
  });
}
