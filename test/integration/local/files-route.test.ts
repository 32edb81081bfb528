import { describe, expect, it } from 'vitest';
import { createFileStore, type FileStore } from '../../../adapters/files/file-store.ts';
import { createApp } from '../../../http/app.ts';
import { addFilesRoute, rangeOf } from '../../../local/files-route.ts';
import { startService } from '../../helpers/service.ts';
import { tempFolder } from '../../helpers/temp-folder.ts';

async function createFiles() {
  const folder = await tempFolder();
  const store = createFileStore({ root: `${folder}/files`, tempRoot: `${folder}/t`, metadataRoot: `${folder}/h` });
  const errors: unknown[] = [];
  const app = createApp({ onError: (error) => errors.push(error) }, (app) => addFilesRoute(app, store));
  return { store, errors, get: (path: string, init?: RequestInit) => app.request(`http://127.0.0.1${path}`, init) };
}

const put = (store: FileStore, key: string, text = 'abcdefghij') =>
  store.put(key, Buffer.from(text), { contentType: 'text/html', contentEncoding: 'br' });

describe('a stored file', () => {
  it('is served so that a browser saves it, and runs nothing of it', async () => {
    const { store, get } = await createFiles();
    await put(store, 'a/page.html', '<script>alert(1)</script>');
    const answer = await get('/files/a/page.html');
    expect(answer.status).toBe(200);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'text/html',
      'content-encoding': 'br',
      'content-length': '25',
      'content-disposition': "attachment; filename*=UTF-8''page.html",
      'content-security-policy': "sandbox; default-src 'none'",
      'x-content-type-options': 'nosniff',
      'accept-ranges': 'bytes',
    });
    expect(await answer.text()).toBe('<script>alert(1)</script>');
  });

  it('is served whole where it is larger than a block, and where it is empty', async () => {
    const { store, get } = await createFiles();
    const large = Buffer.alloc(3 * 1024 ** 2 + 5, 'xyz');
    await store.put('large', large);
    expect(Buffer.from(await (await get('/files/large')).arrayBuffer()).equals(large)).toBe(true);
    await store.put('empty', Buffer.alloc(0));
    const empty = await get('/files/empty');
    expect([empty.status, empty.headers.get('content-length'), await empty.text()]).toEqual([200, '0', '']);
  });

  it.each([
    ['bytes=2-4', 206, 'cde', 'bytes 2-4/10'],
    ['bytes=7-', 206, 'hij', 'bytes 7-9/10'],
    ['bytes=-3', 206, 'hij', 'bytes 7-9/10'],
    ['bytes=0-99', 206, 'abcdefghij', 'bytes 0-9/10'],
    ['bytes=10-', 416, '', 'bytes */10'],
    ['bytes=-0', 416, '', 'bytes */10'],
    ['bytes=5-2', 200, 'abcdefghij', null],
    ['bytes=0-1,3-4', 200, 'abcdefghij', null],
    ['lines=1-2', 200, 'abcdefghij', null],
  ])('is served in part: %s', async (range, status, body, contentRange) => {
    const { store, get } = await createFiles();
    await put(store, 'letters');
    const answer = await get('/files/letters', { headers: { range } });
    expect([answer.status, await answer.text(), answer.headers.get('content-range')]).toEqual([
      status,
      body,
      contentRange,
    ]);
  });

  it('is served whole to who asks for a part of another version', () => {
    expect(rangeOf('bytes=0-1', '"etag"', 10)).toBeUndefined();
  });

  it('is described without a body', async () => {
    const { store, get } = await createFiles();
    await put(store, 'letters');
    const answer = await get('/files/letters', { method: 'HEAD' });
    expect([answer.status, answer.headers.get('content-length'), await answer.text()]).toEqual([200, '10', '']);
  });

  it.each([
    '/files/',
    '/files/nothing',
    '/files/folder',
    '/files/..%2f..%2fstate%2fledger.sqlite',
    '/files/%2e%2e/state/ledger.sqlite',
    '/files/../state/ledger.sqlite',
    '/files//etc/passwd',
    '/files/folder%2ffile',
    '/files/%00',
    '/files/%zz',
    '/files/%ff',
    `/files/${'x'.repeat(5000)}`,
    '/files/a\\b',
  ])('is nothing else: %s', async (path) => {
    const { store, get, errors } = await createFiles();
    await put(store, 'folder/file');
    const answer = await get(path);
    expect(answer.status).toBe(404);
    expect(errors).toEqual([]);
  });

  it('is not given to another web site', async () => {
    const { url } = await startService();
    const answer = await fetch(`${url}/files/x`, { headers: { origin: 'https://example.com' } });
    expect(answer.status).toBe(403);
  });
});
