import { createHash } from 'node:crypto';
import type { OutgoingHttpHeaders } from 'node:http';
import { describe, expect, test } from 'vitest';
import type { Stored } from '../../../core/download/downloader.ts';
import { createDownloadRig, jobFor, type DownloadRig, type JobOptions } from '../../helpers/download.ts';
import { file, redirect } from '../../helpers/origin-answers.ts';
import { startOrigin, type Answer, type Origin } from '../../helpers/origin.ts';

const MONDAY = 'Mon, 03 Aug 2026 10:00:00 GMT';
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** A source that heeds conditions. */
function source(body: string, headers: { etag?: string; 'last-modified'?: string }): Answer {
  return (visit) => {
    const { 'if-none-match': etag, 'if-modified-since': date } = visit.request.headers;
    const same = etag !== undefined ? etag === headers.etag : date !== undefined && date === headers['last-modified'];
    if (same) visit.response.writeHead(304, headers).end();
    else void file(body, headers)(visit);
  };
}

/** A second batch's attempt at the same key. */
function refresh(rig: DownloadRig, origin: Origin, more: JobOptions = {}): Promise<Stored> {
  const options = { ownPrefix: false, ifExists: 'refresh', ...more.options } as const;
  return rig.download(jobFor(origin.url('/a'), { batchId: 'batch-2', ...more, options }));
}

async function storeFirst(answer: Answer): Promise<{ rig: DownloadRig; origin: Origin }> {
  const origin = await startOrigin({ '/a': answer });
  const rig = createDownloadRig();
  await rig.download(jobFor(origin.url('/a')));
  return { rig, origin };
}

const last = ({ requests }: Origin) => requests.at(-1)?.headers ?? {};

describe('a file that is there already', () => {
  test.each<[string, { etag?: string; 'last-modified'?: string }, object]>([
    ['ETag', { etag: '"1"', 'last-modified': MONDAY }, { 'if-none-match': '"1"' }],
    ['weak ETag', { etag: 'W/"1"' }, { 'if-none-match': 'W/"1"' }],
    ['date', { 'last-modified': MONDAY }, { 'if-modified-since': MONDAY }],
  ])('is not sent again if its source still has it, by its %s', async (_, headers, asked) => {
    const { rig, origin } = await storeFirst(source('text', headers));
    expect(await refresh(rig, origin)).toEqual({ state: 'skipped', bytes: 4, contentType: undefined, httpStatus: 304 });
    expect(last(origin)).toMatchObject(asked);
    expect(rig.store.calls.put).toBe(1);
    expect(rig.store.objects.get('files/a')?.metadata).toMatchObject({ 'downburst-batch': 'batch-1' });
    expect(rig.clock.pending()).toBe(0);
  });

  test('is replaced if its source has another one', async () => {
    const { rig, origin } = await storeFirst(source('text', { etag: '"1"' }));
    origin.on('/a', source('new text', { etag: '"2"' }));
    expect(await refresh(rig, origin)).toMatchObject({ state: 'done', bytes: 8, httpStatus: 200 });
    expect(rig.store.objects.get('files/a')?.body.toString()).toBe('new text');
  });

  test('is not written again if the same bytes come', async () => {
    const { rig, origin } = await storeFirst(file('text'));
    const same = { state: 'skipped', bytes: 4, sha256: sha256('text'), httpStatus: 200 };
    expect(await refresh(rig, origin)).toMatchObject(same);
    expect(last(origin)).not.toHaveProperty('if-none-match');
    expect(rig.store.calls).toMatchObject({ put: 1, createUpload: 0 });
    expect(rig.budget.reservedBytes).toBe(0);
    origin.on('/a', file('text', { 'content-encoding': 'gzip' }));
    expect(await refresh(rig, origin)).toMatchObject({ state: 'done' });
  });

  test.each<[string, JobOptions]>([
    ['size', { entry: { size: 5 } }],
    ['SHA-256', { entry: { sha256: sha256('other') } }],
    ['MD5', { entry: { md5: createHash('md5').update('text').digest('hex') } }],
    ['type', { options: { contentTypes: ['image/*'] } }],
  ])('is fetched if it cannot be known to have the %s that is given', async (_, more) => {
    const { rig, origin } = await storeFirst(source('text', { etag: '"1"' }));
    const end = await refresh(rig, origin, more).catch((error: unknown) => error);
    expect(last(origin)).not.toHaveProperty('if-none-match');
    expect(end).not.toMatchObject({ httpStatus: 304 });
  });

  test.each<[string, Record<string, string> | undefined]>([
    ['without metadata', undefined],
    ['of another program', { 'downburst-etag': '"1"' }],
  ])('%s is replaced', async (_, metadata) => {
    const origin = await startOrigin({ '/a': source('text', { etag: '"1"' }) });
    const rig = createDownloadRig();
    await rig.store.put('files/a', Buffer.from('older'), { metadata });
    expect(await refresh(rig, origin)).toMatchObject({ state: 'done', httpStatus: 200 });
    expect(rig.store.objects.get('files/a')?.body.toString()).toBe('text');
  });

  test("that is the entry's own is replaced", async () => {
    const { rig, origin } = await storeFirst(source('text', { etag: '"1"' }));
    expect(await refresh(rig, origin, { batchId: 'batch-1' })).toMatchObject({ state: 'done', httpStatus: 200 });
  });
});

describe('behind a redirect', () => {
  test('the validator goes to the resource that it is of, and to no other', async () => {
    const origin = await startOrigin({ '/a': redirect('/v1'), '/v1': source('one', { 'last-modified': MONDAY }) });
    const rig = createDownloadRig();
    await rig.download(jobFor(origin.url('/a')));
    expect(await refresh(rig, origin)).toMatchObject({ state: 'skipped', httpStatus: 304 });
    expect(origin.requests.map(({ headers }) => headers['if-modified-since'])).toEqual([
      undefined,
      undefined,
      undefined,
      MONDAY,
    ]);
    // Older, and yet another file: its date would be taken for the same version.
    origin.on('/v0', source('zero', { 'last-modified': MONDAY }));
    origin.on('/a', redirect('/v0'));
    expect(await refresh(rig, origin)).toMatchObject({ state: 'done', httpStatus: 200 });
    expect(rig.store.objects.get('files/a')?.body.toString()).toBe('zero');
  });
});

test('a 304 that nobody asked for is no file', async () => {
  const origin = await startOrigin({ '/a': ({ response }) => void response.writeHead(304).end() });
  const rig = createDownloadRig();
  await rig.store.put('files/a', Buffer.from('older'));
  await expect(refresh(rig, origin)).rejects.toMatchObject({ code: 'UNEXPECTED_STATUS', httpStatus: 304 });
});

describe('wanted types', () => {
  const contentTypes = ['image/*', 'application/pdf'];

  test.each(['image/png', 'IMAGE/SVG+XML; charset=utf-8', 'application/pdf', 'Application/PDF;v=1'])(
    '%s is stored',
    async (type) => {
      const origin = await startOrigin({ '/a': file('x', { 'content-type': type }) });
      const rig = createDownloadRig();
      expect(await rig.download(jobFor(origin.url('/a'), { options: { contentTypes } }))).toMatchObject({ bytes: 1 });
    },
  );

  test.each<[string, OutgoingHttpHeaders]>([
    ['text/html', { 'content-type': 'text/html; charset=utf-8' }],
    ['application/pdfx', { 'content-type': 'application/pdfx' }],
    ['imagex/png', { 'content-type': 'imagex/png' }],
    ['no type', {}],
    ['an empty one', { 'content-type': '' }],
  ])('%s fails before the body is read', async (_, headers) => {
    // The body never comes.
    const origin = await startOrigin({
      '/a': ({ response }) => {
        response.writeHead(200, { ...headers, 'content-length': 10 }).flushHeaders();
      },
    });
    const rig = createDownloadRig();
    const attempt = rig.download(jobFor(origin.url('/a'), { options: { contentTypes } }));
    await expect(attempt).rejects.toMatchObject({ code: 'UNWANTED_TYPE', httpStatus: 200 });
    expect(rig.clock.pending()).toBe(0);
    expect(rig.store.calls.put).toBe(0);
  });
});
