import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createDownloadRig, jobFor, type JobOptions } from '../../helpers/download.ts';
import { cutOff, file, raw, status, zeros } from '../../helpers/origin-answers.ts';
import { startOrigin, type Answer } from '../../helpers/origin.ts';
import { until } from '../../helpers/until.ts';

const MIB = 1024 ** 2;

/** Downloads what an origin answers; its end, what is stored, and what is left. */
async function downloadFrom(answer: Answer, options: JobOptions = {}) {
  const origin = await startOrigin({ '/a': answer });
  const rig = createDownloadRig();
  const end = await rig.download(jobFor(origin.url('/a'), options)).catch((error: unknown) => error);
  expect(rig.clock.pending()).toBe(0);
  expect(rig.budget.reservedBytes).toBe(0);
  expect(rig.store.openUploads).toBe(0);
  return { origin, rig, end, object: rig.store.objects.get('files/a') };
}

const failed = (code: string, fields: object = {}) =>
  expect.objectContaining({ name: 'DownloadError', code, ...fields }) as unknown;

describe('files', () => {
  const body = randomBytes(20_000);
  const sha256 = createHash('sha256').update(body).digest('hex');

  test('a file is stored as it came, with what its source said of it', async () => {
    const headers = { 'content-type': 'image/jpeg', etag: '"v1"', 'last-modified': 'Sun, 06 Nov 1994 08:49:37 GMT' };
    const { end, object, origin } = await downloadFrom(file(body, headers));
    expect(end).toEqual({ state: 'done', bytes: 20_000, sha256, contentType: 'image/jpeg', httpStatus: 200 });
    expect(object).toEqual({
      body,
      etag: expect.any(String) as unknown, // the store's own
      contentType: 'image/jpeg',
      metadata: {
        'downburst-batch': 'batch-1',
        'downburst-index': '1',
        'downburst-source': origin.url('/a'),
        'downburst-resource': createHash('sha256').update(origin.url('/a')).digest('hex').slice(0, 16),
        'downburst-etag': '"v1"',
        'downburst-last-modified': 'Sun, 06 Nov 1994 08:49:37 GMT',
        'downburst-sha256': sha256,
      },
    });
  });

  test("the query of a URL is requested and not kept, and the user's headers are sent on top of the usual ones", async () => {
    const origin = await startOrigin({ '/a?key=secret': file('a') });
    const rig = createDownloadRig();
    const job = jobFor(origin.url('/a?key=secret#top'), {
      headers: { authorization: 'batch', 'x-batch': '1' },
      entry: { headers: { Authorization: 'entry', 'user-agent': 'mine' } },
    });
    await rig.download(job);
    expect(origin.requests).toMatchObject([
      { headers: { authorization: 'entry', 'x-batch': '1', 'user-agent': 'mine', 'accept-encoding': 'identity' } },
    ]);
    expect(rig.store.objects.get('files/a')?.metadata).toMatchObject({ 'downburst-source': origin.url('/a') });
  });

  test.each(['length', 'chunked'] as const)('a file whose end is marked by %s is whole', async (framing) => {
    const { end, object } = await downloadFrom(file(body, {}, framing));
    expect(end).toMatchObject({ state: 'done', bytes: 20_000, sha256 });
    expect(end).not.toHaveProperty('lengthVerified');
    expect(object?.body.equals(body)).toBe(true);
  });

  test.each(['length', 'chunked', 'close'] as const)('an empty file is a file (%s)', async (framing) => {
    const { end, object } = await downloadFrom(file('', {}, framing));
    expect(end).toMatchObject({ state: 'done', bytes: 0 });
    expect(object?.body).toHaveLength(0);
  });

  test('headers that an object store cannot keep are left out', async () => {
    const headers = ['Content-Type: caf\xe9', `ETag: "${'x'.repeat(5000)}"`, 'Content-Encoding: identity'].join('\r\n');
    const answer = raw(Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: 1\r\n${headers}\r\n\r\na`, 'latin1'));
    const { end, object } = await downloadFrom(answer);
    expect(end).toMatchObject({ state: 'done', bytes: 1 });
    expect(object).toMatchObject({ contentType: undefined, contentEncoding: undefined });
    expect(object?.metadata).not.toHaveProperty('downburst-etag');
  });

  test('200 is not the only success: 203 is one, too', async () => {
    const answer: Answer = ({ response }) => void response.writeHead(203).end('a');
    expect((await downloadFrom(answer)).end).toMatchObject({ state: 'done', httpStatus: 203 });
  });

  test('a large file is stored in parts while it comes', async () => {
    const large = randomBytes(20 * MIB + 7);
    for (const framing of ['length', 'chunked'] as const) {
      const { end, object, rig } = await downloadFrom(file(large, { 'content-type': 'video/mp4' }, framing));
      const digest = createHash('sha256').update(large).digest('hex');
      expect(end).toMatchObject({ state: 'done', bytes: large.length, sha256: digest });
      expect(object).toMatchObject({ contentType: 'video/mp4' });
      expect(object?.body.equals(large)).toBe(true);
      expect(rig.store.calls).toMatchObject({ put: 0, createUpload: 1, putPart: 3, completeUpload: 1, abortUpload: 0 });
    }
  });

  test.each([
    [8 * MIB, { put: 1, createUpload: 0 }],
    [8 * MIB + 1, { put: 0, createUpload: 1, putPart: 2, completeUpload: 1 }],
    [16 * MIB, { put: 0, createUpload: 1, putPart: 2, completeUpload: 1 }],
    [128 * 1024, { put: 1, createUpload: 0 }],
    [128 * 1024 + 1, { put: 1, createUpload: 0 }],
  ])('a file of %i bytes, declared or not, takes no more calls than it must', async (bytes, calls) => {
    for (const framing of ['length', 'chunked'] as const) {
      const { end, object, rig } = await downloadFrom(zeros(bytes, framing));
      expect(end).toMatchObject({ state: 'done', bytes });
      expect(object?.body.equals(Buffer.alloc(bytes))).toBe(true);
      expect(rig.store.calls).toMatchObject(calls);
    }
  });
});

describe('statuses', () => {
  test('a failure does not cost the connection, unless its body is long or never ends', async () => {
    const origin = await startOrigin({
      '/short': status(404),
      '/chunked': ({ response }) => void response.writeHead(404).write('x', () => response.end('y')),
      '/long': ({ response }) => void response.writeHead(404, { 'content-length': 20_000 }).write('x'),
      '/endless': ({ response, socket }) => {
        const more = () => {
          if (!socket.destroyed) response.write('x'.repeat(10_000), more);
        };
        response.writeHead(404);
        more();
      },
      '/stalled': ({ response }) => void response.writeHead(404, { 'content-length': 10 }).write('x'),
    });
    const rig = createDownloadRig();
    const download = (path: string) =>
      expect(rig.download(jobFor(origin.url(path)))).rejects.toEqual(failed('NOT_FOUND'));
    for (const path of ['/short', '/chunked', '/short']) await download(path);
    expect(origin.connections).toBe(1);
    for (const path of ['/long', '/endless']) await download(path);
    expect(origin.connections).toBe(2);
    await until(() => origin.openConnections === 0);
    const stalled = download('/stalled');
    await until(() => rig.clock.nextDue() === rig.clock.now() + 1000);
    await rig.clock.advance(1000);
    await stalled;
    await until(() => origin.openConnections === 0);
  });
});

describe('bodies that are not whole', () => {
  test('a large body that breaks off leaves no upload and no memory reserved', async () => {
    const { end, rig } = await downloadFrom(cutOff(Buffer.alloc(20 * MIB), 30 * MIB));
    expect(end).toEqual(failed('TRUNCATED'));
    expect(rig.store.calls).toMatchObject({ createUpload: 1, completeUpload: 0, abortUpload: 1 });
    expect(rig.store.objects.size).toBe(0);
  });
});

describe('what the user expects', () => {
  const body = Buffer.from('hello');
  const md5 = createHash('md5').update(body).digest('hex');
  const sha256 = createHash('sha256').update(body).digest('hex');

  test.each(['length', 'chunked', 'close'] as const)(
    'a file with the given size and digests is stored (%s)',
    async (framing) => {
      const { end } = await downloadFrom(file(body, {}, framing), { entry: { size: 5, md5, sha256 } });
      expect(end).toMatchObject({ state: 'done', bytes: 5, sha256 });
    },
  );

  test.each([
    ['a smaller size', { size: 4 }, 'SIZE_MISMATCH'],
    ['a larger size', { size: 6 }, 'SIZE_MISMATCH'],
    ['size 0', { size: 0 }, 'SIZE_MISMATCH'],
    ['another MD5', { md5: '0'.repeat(32) }, 'DIGEST_MISMATCH'],
    ['another SHA-256', { sha256: '0'.repeat(64) }, 'DIGEST_MISMATCH'],
    ['the right MD5 and another SHA-256', { md5, sha256: '0'.repeat(64) }, 'DIGEST_MISMATCH'],
  ])('%s than the file has fails it, and nothing is stored', async (_, entry, code) => {
    for (const framing of ['length', 'chunked', 'close'] as const) {
      const { end, rig } = await downloadFrom(file(body, {}, framing), { entry });
      expect(end).toEqual(failed(code, { httpStatus: 200 }));
      expect(rig.store.objects.size).toBe(0);
    }
  });

  test('a large file with a wrong digest is given up whole', async () => {
    const { end, rig } = await downloadFrom(zeros(20 * MIB), { entry: { sha256: '0'.repeat(64) } });
    expect(end).toEqual(failed('DIGEST_MISMATCH'));
    expect(rig.store.calls).toMatchObject({ createUpload: 1, completeUpload: 0, abortUpload: 1 });
  });

  test('a file larger than maxBytes is refused: by its declared length at once, else when it gets there', async () => {
    for (const [answer, bytes] of [
      [zeros(30 * MIB), 29 * MIB],
      [zeros(2 ** 40, 'chunked'), 20 * MIB],
      [zeros(2 ** 40, 'close'), 20 * MIB],
      [file('hello', {}, 'chunked'), 4],
      [file('hello', {}, 'chunked'), 0],
    ] as const) {
      const { end, rig, origin } = await downloadFrom(answer, { options: { maxBytes: bytes } });
      expect(end).toEqual(failed('TOO_LARGE', { httpStatus: 200 }));
      expect(rig.store.objects.size).toBe(0);
      if (bytes > 100) await until(() => origin.openConnections === 0);
    }
  });

  test('a file of exactly maxBytes is stored', async () => {
    for (const framing of ['length', 'chunked'] as const) {
      const { end } = await downloadFrom(file('hello', {}, framing), { options: { maxBytes: 5 } });
      expect(end).toMatchObject({ state: 'done', bytes: 5 });
    }
  });
});
