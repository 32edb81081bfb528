import { randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { gzipSync } from 'node:zlib';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ListDocument } from '../../../http/documents.ts';
import type { FieldError, ProblemDocument } from '../../../http/problem.ts';
import type { BatchItemDocument, FileDocument, StatusDocument } from '../../../http/documents.ts';
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
          'name=a+list&connectionsPerHost=4&timeouts.idleMs=5000&lowSpeed.seconds=9&prefix=it/&userAgent=42&contentTypes=image/*,+a/b';
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
            contentTypes: ['image/*', 'a/b'],
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
        ['no wanted type at all', { urls: good, options: { contentTypes: [] } }, 'options.contentTypes'],
        ['too many types', { urls: good, options: { contentTypes: Array(33).fill('a/b') } }, 'options.contentTypes'],
        ['what is no type', { urls: good, options: { contentTypes: ['a/b', '*/*'] } }, 'options.contentTypes.1'],
        ['a type with parameters', { urls: good, options: { contentTypes: ['a/b;c=d'] } }, 'options.contentTypes.0'],
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
        ['an empty list', 'contentTypes=', 'contentTypes.0'],
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
        const { errors } = await refused(answer, 422, 'invalid-list');
        expect(errors).toMatchObject([{ line: 1, reason: 'is not UTF-8' }]);
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

      it.each<[string, string, (url: string) => string | Buffer]>([
        ['CSV', 'text/csv', (file) => `url,key\r\n${file},"a,b"\r\n`],
        ['TSV', 'text/tab-separated-values', (file) => `url\tkey\n${file}\tk\n`],
        ['NDJSON', 'application/x-ndjson', (file) => JSON.stringify({ url: file })],
        ['TsvHttpData-1.0', 'text/tab-separated-values', (file) => `TsvHttpData-1.0\n${file}\n`],
        ['text in gzip', 'text/plain', (file) => gzipSync(file)],
        ['JSON in gzip', 'application/json', (file) => gzipSync(JSON.stringify({ urls: [file] }))],
      ])('takes a list as %s', async (_, type, write) => {
        const origin = await startFileOrigin();
        const body = write(origin.file(1));
        const headers: Record<string, string> = { 'content-type': type };
        if (typeof body !== 'string') headers['content-encoding'] = 'gzip';
        const answer = await fetch(`${url}/batches`, { method: 'POST', headers, body });
        expect(answer.status).toBe(202);
        expect(await answer.json()).toMatchObject({ total: 1 });
      });

      it('takes a list in the format that the query says, where no media type does', async () => {
        const origin = await startFileOrigin();
        const body = `${origin.file(1)}\n  out=one.jpg\n`;
        const headers = { 'content-type': 'text/plain' };
        const answer = await fetch(`${url}/batches?format=aria2`, { method: 'POST', headers, body });
        const { id } = (await answer.json()) as StatusDocument;
        await finished(url, id);
        expect((await filesOf(url, id)).map(({ key }) => key)).toEqual(['one.jpg']);
      });

      it('names line and column of what cannot be read', async () => {
        const headers = { 'content-type': 'text/csv' };
        const body = `url,colour\n${good.join('\n')}`;
        const { errors } = await refused(
          fetch(`${url}/batches`, { method: 'POST', headers, body }),
          422,
          'invalid-list',
        );
        expect(errors).toMatchObject([{ line: 1, column: 2 }]);
      });

      it('lets entries that cannot be used fail, where it is told to', async () => {
        const origin = await startFileOrigin();
        const urls = ['nowhere', origin.file(1), { url: origin.file(2), size: 'large' }];
        const { id } = (await (
          await post(url, { urls, options: { invalidEntries: 'fail' } })
        ).json()) as StatusDocument;
        const status = await finished(url, id);
        expect(status).toMatchObject({ total: 3, done: 1, failed: 2, failures: { INVALID_URL: 1, INVALID_ENTRY: 1 } });
        const files = await filesOf(url, id);
        expect(files.filter(({ state }) => state === 'failed').sort((a, b) => a.index - b.index)).toMatchObject([
          { index: 1, url: 'nowhere', key: '', code: 'INVALID_URL', attempts: 0 },
          {
            index: 3,
            url: origin.file(2),
            key: '',
            code: 'INVALID_ENTRY',
            message: 'size is not a number of bytes',
            attempts: 0,
          },
        ]);
        expect(origin.requests()).toBe(1);
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
        const body = `${origin.file(1)}\n`.padEnd(4 * MIB, `${'#'.repeat(99)}\n`);
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

    describe('Idempotency-Key', () => {
      const send = (key: string, path: string, body: string, type = 'application/json') =>
        fetch(url + path, { method: 'POST', headers: { 'content-type': type, 'idempotency-key': key }, body });

      it('starts one batch for a request, however often it is sent', async () => {
        const origin = await startFileOrigin();
        const body = JSON.stringify({ urls: [origin.file(1)] });
        const key = randomUUID();
        const answers: Response[] = [];
        for (let n = 0; n < 3; n++) answers.push(await send(key, '/batches', body));
        const [first, ...others] = (await Promise.all(answers.map((answer) => answer.json()))) as StatusDocument[];
        for (const { id } of others) expect(id).toBe(first?.id);
        for (const { status, headers } of answers) {
          expect({ status, location: headers.get('location') }).toEqual({
            status: 202,
            location: `/batches/${first?.id ?? ''}`,
          });
        }
        const done = await finished(url, first?.id ?? '');
        expect(await (await send(key, '/batches', body)).json()).toEqual(done);
      });

      it('starts one batch for twins that come at once; who is too early is told when to ask again', async () => {
        const origin = await startFileOrigin();
        const body = JSON.stringify({ urls: Array.from({ length: 100 }, (_, n) => origin.file(n)) });
        const key = randomUUID();
        const answers = await Promise.all(Array.from({ length: 8 }, () => send(key, '/batches', body)));
        const ids = new Set<string>();
        for (const answer of answers) {
          if (answer.status === 202) ids.add(((await answer.json()) as StatusDocument).id);
          else {
            expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
            await refused(Promise.resolve(answer), 409, 'idempotency-key-in-use');
          }
        }
        expect(ids.size).toBe(1);
        ids.add(((await (await send(key, '/batches', body)).json()) as StatusDocument).id);
        expect(ids.size).toBe(1);
      });

      it.each([
        ['another body', '/batches', '{"urls":["http://127.0.0.1/b"]}', 'application/json'],
        ['a body that only means the same', '/batches', '{ "urls": ["http://127.0.0.1/a"] }', 'application/json'],
        ['another type', '/batches', 'http://127.0.0.1/a', 'text/plain'],
        ['another query', '/batches?name=x', 'http://127.0.0.1/a', 'text/plain'],
      ])('refuses a key that comes again with %s', async (_, path, body, type) => {
        const key = randomUUID();
        const first = await send(key, '/batches', '{"urls":["http://127.0.0.1/a"]}');
        expect(first.status).toBe(202);
        const before = await newest(url);
        const problem = await refused(send(key, path, body, type), 422, 'idempotency-key-reused');
        expect(problem.errors?.map(({ field }) => field)).toEqual(['Idempotency-Key']);
        expect(await newest(url)).toBe(before);
      });

      it('leaves a key free whose request was refused', async () => {
        const key = randomUUID();
        await refused(send(key, '/batches', '{"urls":["no URL"]}'), 422, 'invalid-list');
        await refused(send(key, '/batches', '{"urls":'), 400, 'invalid-json');
        expect((await send(key, '/batches', '{"urls":["http://127.0.0.1/a"]}')).status).toBe(202);
      });

      it.each([
        ['has a space', 'a b'],
        ['has more than 255 characters', 'k'.repeat(256)],
      ])('refuses a key that %s', async (_, key) => {
        const problem = await refused(send(key, '/batches', '{"urls":["http://127.0.0.1/a"]}'), 422, 'invalid-request');
        expect(problem.errors?.map(({ field }) => field)).toEqual(['Idempotency-Key']);
      });

      it('takes every other key', async () => {
        for (const key of ['k'.repeat(255), `"${randomUUID()}"`, '!~']) {
          expect((await send(key, '/batches', '{"urls":["http://127.0.0.1/a"]}')).status).toBe(202);
        }
      });
    });

    describe('POST /lists', () => {
      /** Uploads a list by the link that is given for it; answers the upload's own answer, too. */
      async function upload(list: string | Buffer, announced: object = {}) {
        const body = Buffer.from(list);
        const answer = await post(url, { bytes: body.length, ...announced }, '/lists');
        const { listId, upload } = (await answer.json()) as ListDocument;
        const put = await fetch(upload.url, { method: upload.method, headers: upload.headers, body });
        await put.arrayBuffer();
        return { listId, upload, answer, put };
      }

      it('says where to put a list, of which a batch is then made', async () => {
        const origin = await startFileOrigin();
        const list = gzipSync(`url,key\n${origin.file(1)},one\n${origin.file(2)},two\n`);
        const { listId, upload: link, answer, put } = await upload(list, { name: 'files.csv.gz' });
        expect(answer.status).toBe(201);
        expect(link.headers).toEqual({ 'content-length': String(list.length) });
        expect(Date.parse(link.expiresAt)).toBeGreaterThan(Date.now());
        expect(put.status).toBe(200);

        const begun = await post(url, { listId, name: 'uploaded', options: { maxAttempts: 2 } });
        expect(begun.status).toBe(202);
        const status = (await begun.json()) as StatusDocument;
        expect(status).toMatchObject({ name: 'uploaded', options: { maxAttempts: 2 } });
        expect(await finished(url, status.id)).toMatchObject({ state: 'finished', total: 2, done: 2 });
        expect((await filesOf(url, status.id)).map(({ key }) => key).sort()).toEqual(['one', 'two']);
      });

      it('rejects the batch of a list with bad lines, with the problem of a list in a body', async () => {
        const text = 'https://a.example/1\nnowhere\n';
        const { listId } = await upload(text, { format: 'text' });
        const begun = (await (await post(url, { listId })).json()) as StatusDocument;
        const status = await finished(url, begun.id);
        expect(status).toMatchObject({ state: 'rejected', total: 0, pending: 0 });
        expect(status.problem).toEqual(await refused(postText(url, text), 422, 'invalid-list'));
        expect(await (await fetch(`${url}/batches/${begun.id}/files`)).json()).toEqual({ files: [] });
      });

      it('refuses a list that is too large, and other nonsense', async () => {
        await refused(post(url, { bytes: 1024 ** 3 + 1 }, '/lists'), 413, 'list-too-large');
        for (const body of [{}, { bytes: 0 }, { bytes: 1.5 }, { bytes: 5, format: 'pdf' }, { bytes: 5, x: 1 }]) {
          await refused(post(url, body, '/lists'), 422, 'invalid-request');
        }
        await refused(fetch(`${url}/lists`, { method: 'PUT' }), 405, 'method-not-allowed');
      });

      it('makes no batch of a list that nobody knows, that is not there, or whose format nothing says, nor a dry run of any', async () => {
        await refused(post(url, { listId: NO_BATCH }), 404, 'unknown-list');
        await refused(post(url, { listId: 'x' }), 422, 'invalid-request');
        const announced = (await (await post(url, { bytes: 5 }, '/lists')).json()) as ListDocument;
        await refused(post(url, { listId: announced.listId, format: 'text' }), 404, 'unknown-list');
        const { listId } = await upload('hello');
        const { errors } = await refused(post(url, { listId }), 422, 'invalid-request');
        expect(errors).toMatchObject([{ field: 'format' }]);
        await refused(post(url, { listId, urls: [] }), 422, 'invalid-request');
        const dry = await refused(
          post(url, { listId, format: 'text' }, '/batches?dryRun=true'),
          422,
          'invalid-request',
        );
        expect(dry.errors).toMatchObject([{ field: 'dryRun' }]);
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
          await refused(fetch(`${url}/batches/${id}/wait`), 404, 'unknown-batch');
          await refused(fetch(`${url}/batches/${id}`, { method: 'DELETE' }), 404, 'unknown-batch');
          for (const action of ['cancel', 'pause', 'resume', 'retry']) {
            await refused(fetch(`${url}/batches/${id}/${action}`, { method: 'POST' }), 404, 'unknown-batch');
          }
        },
      );
    });

    describe('GET /batches/{id}/wait', () => {
      const wait = async (id: string, query = '') =>
        (await (await fetch(`${url}/batches/${id}/wait?${query}`)).json()) as StatusDocument;

      it('answers with the status once the batch is closed', async () => {
        const origin = await startFileOrigin();
        const { id } = (await (await post(url, { urls: [1, 2].map(origin.file) })).json()) as StatusDocument;
        expect(await wait(id, 'timeoutSeconds=25')).toMatchObject({ id, state: 'finished', done: 2 });
      });

      it('answers at the first failure, and for as many outcomes as are asked for', async () => {
        const origin = await startFileOrigin();
        origin.holdAfter(2);
        const gone = `${origin.url}/missing`;
        const { id } = (await (
          await post(url, { urls: [gone, 1, 2, 3].map((n) => (typeof n === 'string' ? n : origin.file(n))) })
        ).json()) as StatusDocument;
        const first = await wait(id, 'returnWhen=FIRST_EXCEPTION&timeoutSeconds=25');
        expect(first).toMatchObject({ state: 'running', failed: 1 });
        expect((await wait(id, 'settledAtLeast=2&timeoutSeconds=25')).pending).toBe(2);
        expect((await wait(id, 'returnWhen=FIRST_COMPLETED&timeoutSeconds=25')).pending).toBe(2);
        origin.release();
        expect(await wait(id, 'returnWhen=ALL_COMPLETED')).toMatchObject({ state: 'finished', done: 3, failed: 1 });
      });

      it('answers with the status when the time is up, and says when to ask again', async () => {
        const origin = await startFileOrigin();
        origin.holdAfter(0);
        const { id } = (await (await post(url, { urls: [origin.file(1)] })).json()) as StatusDocument;
        const answer = await fetch(`${url}/batches/${id}/wait?timeoutSeconds=0`);
        expect(answer.status).toBe(200);
        expect(answer.headers.get('retry-after')).not.toBeNull();
        expect(await answer.json()).toMatchObject({ id, pending: 1 });
      });

      it.each([
        ['timeoutSeconds=26', 'timeoutSeconds'],
        ['timeoutSeconds=-1', 'timeoutSeconds'],
        ['timeoutSeconds=', 'timeoutSeconds'],
        ['returnWhen=first_completed', 'returnWhen'],
        ['returnWhen=', 'returnWhen'],
        ['settledAtLeast=0', 'settledAtLeast'],
        ['settledAtLeast=1.5', 'settledAtLeast'],
        ['timeout=1', 'timeout'],
      ])('refuses ?%s by name', async (query, field) => {
        const problem = await refused(fetch(`${url}/batches/${NO_BATCH}/wait?${query}`), 422, 'invalid-request');
        expect(problem.errors?.map((error) => error.field)).toEqual([field]);
      });
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

    describe('POST /batches/{id}/pause and /resume', () => {
      const act = (id: string, action: string, body?: string) =>
        fetch(`${url}/batches/${id}/${action}`, {
          method: 'POST',
          ...(body !== undefined && { body, headers: { 'content-type': 'application/json' } }),
        });

      it('bring a batch to rest and back to work; doing it again changes nothing', async () => {
        const origin = await startFileOrigin();
        origin.holdAfter(0);
        const { id } = (await (await post(url, { urls: [1, 2].map(origin.file) })).json()) as StatusDocument;
        for (let times = 0; times < 2; times++) {
          const paused = await act(id, 'pause');
          expect(paused.status).toBe(202);
          expect(await paused.json()).toMatchObject({ state: 'paused', pending: 2 });
        }
        for (const body of [undefined, '{}', '{"maxTotalBytes":1000000}']) {
          const resumed = await act(id, 'resume', body);
          expect(resumed.status).toBe(202);
          expect(await resumed.json()).toMatchObject({ state: 'running', pending: 2 });
        }
        origin.release();
        const status = await finished(url, id);
        expect(status).toMatchObject({ state: 'finished', done: 2, options: { maxTotalBytes: 1_000_000 } });
      });

      it('do not go with a closed batch, which is named', async () => {
        const { id } = (await (await post(url, { urls: ['http://127.0.0.1:1/a'] })).json()) as StatusDocument;
        await act(id, 'cancel');
        await finished(url, id);
        for (const action of ['pause', 'resume']) {
          const problem = await refused(act(id, action), 409, 'batch-state');
          expect(problem.detail).toBe('The batch is cancelled.');
        }
      });

      it.each([
        ['{"maxTotalBytes":0}', 'maxTotalBytes'],
        ['{"maxTotalBytes":"1"}', 'maxTotalBytes'],
        ['{"maxBytes":1}', 'maxBytes'],
      ])('refuse %s by name', async (body, field) => {
        const problem = await refused(act(NO_BATCH, 'resume', body), 422, 'invalid-request');
        expect(problem.errors?.map((error) => error.field)).toEqual([field]);
      });

      it('refuse a body that is no JSON', async () => {
        await refused(act(NO_BATCH, 'resume', '{'), 400, 'invalid-json');
        const text = fetch(`${url}/batches/${NO_BATCH}/resume`, { method: 'POST', body: 'maxTotalBytes=1' });
        await refused(text, 415, 'unsupported-media-type');
      });
    });

    it('a batch that passes its maxTotalBytes is paused, and goes on with a higher one only', async () => {
      const origin = await startFileOrigin();
      origin.holdAfter(3);
      const urls = Array.from({ length: 6 }, (_, n) => origin.file(n + 1));
      const options = { maxTotalBytes: 100, connectionsPerHost: 1 };
      const { id } = (await (await post(url, { urls, options })).json()) as StatusDocument;
      for (;;) {
        const answer = await fetch(`${url}/batches/${id}/wait?settledAtLeast=3&timeoutSeconds=1`);
        const { state, reason } = (await answer.json()) as StatusDocument;
        if (state !== 'paused') continue;
        expect(reason).toBe('BYTE_LIMIT');
        break;
      }
      const resume = (body?: string) =>
        fetch(`${url}/batches/${id}/resume`, {
          method: 'POST',
          ...(body !== undefined && { body, headers: { 'content-type': 'application/json' } }),
        });
      origin.release();
      expect((await refused(resume(), 409, 'batch-state')).detail).toContain('maxTotalBytes');
      const low = await refused(resume('{"maxTotalBytes":101}'), 422, 'invalid-request');
      expect(low.errors?.map(({ field }) => field)).toEqual(['maxTotalBytes']);
      expect((await resume('{"maxTotalBytes":1000000}')).status).toBe(202);
      expect(await finished(url, id)).toMatchObject({ state: 'finished', done: 6 });
    });

    describe('POST /batches/{id}/retry', () => {
      const retry = (id: string, body?: unknown, headers: Record<string, string> = {}) =>
        fetch(`${url}/batches/${id}/retry`, {
          method: 'POST',
          ...(body !== undefined && {
            body: JSON.stringify(body),
            headers: { 'content-type': 'application/json', ...headers },
          }),
        });

      /** A closed batch with two files that are not there, and one that is. */
      async function createFailed(): Promise<StatusDocument> {
        const origin = await startFileOrigin();
        const urls = [origin.file(1), { url: `${origin.url}/one`, key: 'mine/1' }, `${origin.url}/two`];
        const { id } = (await (await post(url, { name: 'some', urls })).json()) as StatusDocument;
        return finished(url, id);
      }

      it('starts a batch of the failed entries, with their lines and keys, and the options', async () => {
        const failed = await createFailed();
        const answer = await retry(failed.id);
        expect(answer.status).toBe(202);
        const status = (await answer.json()) as StatusDocument;
        expect(answer.headers.get('location')).toBe(`/batches/${status.id}`);
        const said = { name: 'some', retryOf: failed.id, options: failed.options };
        expect(status).toMatchObject(said);
        expect(await finished(url, status.id)).toMatchObject({ ...said, total: 2, failures: { NOT_FOUND: 2 } });
        const filesOf = async (id: string) =>
          ((await (await fetch(`${url}/batches/${id}/files?state=failed`)).json()) as FilesPage).files
            .map(({ index, url, key }) => ({ index, url, key }))
            .sort((a, b) => a.index - b.index);
        expect(await filesOf(status.id)).toEqual(await filesOf(failed.id));
      });

      it('starts one batch for a request with a key', async () => {
        const failed = await createFailed();
        const body = { codes: ['NOT_FOUND'], headers: { authorization: 's3cr3t' }, name: 'again' };
        const key = { 'idempotency-key': randomUUID() };
        const first = (await (await retry(failed.id, body, key)).json()) as StatusDocument;
        const second = (await (await retry(failed.id, body, key)).json()) as StatusDocument;
        expect(first.name).toBe('again');
        expect(second.id).toBe(first.id);
        expect(JSON.stringify(second)).not.toContain('s3cr3t');
        await refused(retry(failed.id, { ...body, name: 'other' }, key), 422, 'idempotency-key-reused');
        await finished(url, first.id);
      });

      it('refuses what is open, and what did not fail so', async () => {
        const failed = await createFailed();
        await refused(retry(failed.id, { codes: ['TOO_SLOW'] }), 422, 'invalid-list');
        const origin = await startFileOrigin();
        origin.holdAfter(0);
        const { id } = (await (await post(url, { urls: [origin.file(1)] })).json()) as StatusDocument;
        const problem = await refused(retry(id), 409, 'batch-state');
        expect(problem.detail).toContain('running');
      });

      it.each([
        ['an unknown code', { codes: ['NOT_FOUND', 'GONE'] }, 'codes.1'],
        ['no codes', { codes: [] }, 'codes'],
        ['codes that are no list', { codes: 'NOT_FOUND' }, 'codes'],
        ['options', { options: {} }, 'options'],
        ['a reserved header', { headers: { host: 'x' } }, 'headers.host'],
        ['an empty name', { name: '' }, 'name'],
      ])('refuses %s by name', async (_, body, field) => {
        const problem = await refused(retry(NO_BATCH, body), 422, 'invalid-request');
        expect(problem.errors?.map((error) => error.field)).toEqual([field]);
      });
    });

    describe('DELETE /batches/{id}', () => {
      const remove = (id: string) => fetch(`${url}/batches/${id}`, { method: 'DELETE' });

      it('makes a closed batch as if it had not been', async () => {
        const origin = await startFileOrigin();
        const { id } = (await (await post(url, { urls: [origin.file(1)] })).json()) as StatusDocument;
        await finished(url, id);
        const answer = await remove(id);
        expect(answer.status).toBe(204);
        expect(await answer.text()).toBe('');
        await refused(remove(id), 404, 'unknown-batch');
        await refused(fetch(`${url}/batches/${id}`), 404, 'unknown-batch');
        await refused(fetch(`${url}/batches/${id}/files`), 404, 'unknown-batch');
        const { batches } = (await (await fetch(`${url}/batches?limit=1000`)).json()) as BatchesPage;
        expect(batches.map((batch) => batch.id)).not.toContain(id);
      });

      it('does not go with an open batch', async () => {
        const origin = await startFileOrigin();
        origin.holdAfter(0);
        const { id } = (await (await post(url, { urls: [origin.file(1)] })).json()) as StatusDocument;
        await refused(remove(id), 409, 'batch-state');
        expect((await fetch(`${url}/batches/${id}`)).status).toBe(200);
      });
    });

    describe('any path', () => {
      it('is answered with what it takes when the method is another', async () => {
        for (const [method, path, allow] of [
          ['PUT', '/batches', 'GET, HEAD, POST'],
          ['DELETE', '/batches', 'GET, HEAD, POST'],
          ['POST', `/batches/${NO_BATCH}`, 'GET, HEAD, DELETE'],
          ['DELETE', `/batches/${NO_BATCH}/files`, 'GET, HEAD'],
          ['POST', `/batches/${NO_BATCH}/wait`, 'GET, HEAD'],
          ['GET', `/batches/${NO_BATCH}/retry`, 'POST'],
          ['POST', `/batches/${NO_BATCH}/files`, 'GET, HEAD'],
          ['GET', `/batches/${NO_BATCH}/cancel`, 'POST'],
          ['PATCH', '/health', 'GET, HEAD'],
          ['OPTIONS', '/batches', 'GET, HEAD, POST'],
        ] as const) {
          const { status, headers, body } = await exchange(url + path, method);
          expect({ method, path, status, allow: headers.allow }).toEqual({ method, path, status: 405, allow });
          expect(JSON.parse(body)).toMatchObject({ type: 'urn:downburst:problem:method-not-allowed' });
        }
      });

      it.each([
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
        for (const action of ['cancel', 'pause', 'resume', 'retry']) {
          const answer = fetch(`${url}/batches/${NO_BATCH}/${action}?now=1`, { method: 'POST' });
          await refused(answer, 422, 'invalid-request');
        }
        await refused(fetch(`${url}/batches/${NO_BATCH}?now=1`, { method: 'DELETE' }), 422, 'invalid-request');
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

function post(url: string, body: unknown, path = '/batches'): Promise<Response> {
  return postJson(url, JSON.stringify(body), path);
}

/** Posts a text as JSON, whether it is or not. */
function postJson(url: string, body: string, path = '/batches'): Promise<Response> {
  return fetch(url + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
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

async function filesOf(url: string, id: string): Promise<FileDocument[]> {
  return ((await (await fetch(`${url}/batches/${id}/files`)).json()) as { files: FileDocument[] }).files;
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
