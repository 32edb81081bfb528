import { createHash } from 'node:crypto';
import type { OutgoingHttpHeaders } from 'node:http';
import { describe, expect, test } from 'vitest';
import type { Stored } from '../../../core/download/downloader.ts';
import type { PartialFile } from '../../../core/model/partial-file.ts';
import { createDownloadRig, jobFor, type DownloadRig, type JobOptions } from '../../helpers/download.ts';
import { inTurn, redirect, status } from '../../helpers/origin-answers.ts';
import { startOrigin, type Answer } from '../../helpers/origin.ts';
import { rangeStart, serve, version, type Version } from '../../helpers/versions.ts';

/** Small parts, so that a small file has many. */
const PART_BYTES = 16;
const BYTES = 100;

const A = version('A', BYTES);
const B = version('B', BYTES + 7);

const small = { leastPartBytes: PART_BYTES };
const sha256 = ({ body }: Version) => createHash('sha256').update(body).digest('hex');

/** The entry as a turn keeps it between attempts. */
function createEntry(rig: DownloadRig, url: string, options: JobOptions = {}) {
  let partial: PartialFile | undefined;
  return {
    /** One attempt; answers how it ended. */
    attempt: (by: DownloadRig = rig): Promise<Stored | { code: string }> =>
      by
        .download(jobFor(url, { ...options, partial, keep: (told) => (partial = told) }))
        .catch((error: unknown) => error as { code: string }),
    get partial() {
      return partial;
    },
    /** As it comes out of a waiting list. */
    set partial(next) {
      partial = next && (JSON.parse(JSON.stringify(next)) as PartialFile);
    },
  };
}

/** Breaks off. */
const ofUnknownLength: Answer = ({ response, socket }) => {
  response.writeHead(200, { etag: A.etag });
  response.write(A.body.subarray(0, 70), () => socket.resetAndDestroy());
};

function expectNothingOpen(rig: DownloadRig): void {
  expect(rig.store.openUploads).toBe(0);
  expect(rig.budget.reservedBytes).toBe(0);
  expect(rig.clock.pending()).toBe(0);
}

/** A worker of its own over the same store. */
function anotherWorker(rig: DownloadRig): DownloadRig {
  return createDownloadRig({ ...small, files: rig.store });
}

describe('a body that breaks off', () => {
  test.each([true, false])(
    'goes on at its last whole part, wherever it broke (by the same worker: %s)',
    async (same) => {
      for (let cut = 0; cut < BYTES; cut += 1) {
        const origin = await startOrigin({ '/a': inTurn(serve(A, cut), serve(A)) });
        const rig = createDownloadRig(small);
        const entry = createEntry(rig, origin.url('/a'));
        expect(await entry.attempt(), `cut at ${cut}`).toMatchObject({ name: 'DownloadError' });
        // A part is sent once something comes behind it.
        const landed = entry.partial?.parts.length ?? 0;
        expect(landed).toBeLessThanOrEqual(Math.floor(cut / PART_BYTES));
        expect(rig.store.openUploads).toBe(landed > 0 ? 1 : 0);
        entry.partial = entry.partial && { ...entry.partial };

        const end = await entry.attempt(same ? rig : anotherWorker(rig));
        expect(end).toMatchObject({ state: 'done', bytes: BYTES, contentType: 'a/b' });
        expect((end as Stored).sha256).toBe(same || landed === 0 ? sha256(A) : undefined);
        expect(rig.store.objects.get('files/a')?.body.equals(A.body)).toBe(true);
        expect(rig.store.objects.get('files/a')).toMatchObject({ contentType: 'a/b' });
        expect(rangeStart(origin.requests[1]?.headers ?? {})).toBe(landed > 0 ? landed * PART_BYTES : undefined);
        expectNothingOpen(rig);
        await origin.stop();
      }
    },
  );

  test('again and again goes on each time, and every byte is asked for once but for the last part', async () => {
    const cuts = [20, 40, 60, 80];
    const origin = await startOrigin({ '/a': inTurn(serve(A, 10), ...cuts.map((cut) => serve(A, cut)), serve(A)) });
    const rig = createDownloadRig(small);
    const entry = createEntry(rig, origin.url('/a'));
    const lengths: number[] = [];
    for (let end: object = {}; !('state' in end); end = await entry.attempt())
      lengths.push(entry.partial?.parts.length ?? 0);
    expect(lengths).toEqual(lengths.toSorted((a, b) => a - b));
    expect(rig.store.objects.get('files/a')?.body.equals(A.body)).toBe(true);
    expect(rig.store.calls).toMatchObject({ createUpload: 1, completeUpload: 1, abortUpload: 0 });
    expectNothingOpen(rig);
  });

  test('by its caller goes on too', async () => {
    const origin = await startOrigin({
      '/a': inTurn(({ response }) => {
        response.writeHead(200, { etag: A.etag, 'content-length': BYTES }).write(A.body.subarray(0, 50));
      }, serve(A)),
    });
    const rig = createDownloadRig(small);
    const stop = new AbortController();
    let partial: PartialFile | undefined;
    const first = rig.download(
      jobFor(origin.url('/a'), {
        signal: stop.signal,
        keep: (told) => {
          partial = told;
          if (told?.parts.length === 3) stop.abort(new Error('the turn ends'));
        },
      }),
    );
    await expect(first).rejects.toThrow('the turn ends');
    expect(partial?.parts).toHaveLength(3);
    expect(rig.store.openUploads).toBe(1);
    const end = await rig.download(jobFor(origin.url('/a'), { partial, keep: (told) => (partial = told) }));
    expect(end).toMatchObject({ state: 'done', sha256: sha256(A), httpStatus: 206 });
    expectNothingOpen(rig);
  });

  test('is given up by who has no use for its beginning', async () => {
    const origin = await startOrigin({ '/a': serve(A, 70) });
    const rig = createDownloadRig(small);
    await expect(rig.download(jobFor(origin.url('/a')))).rejects.toMatchObject({ code: 'TRUNCATED' });
    expect(rig.store.calls).toMatchObject({ createUpload: 1, abortUpload: 1 });
    expectNothingOpen(rig);
  });

  test.each([
    ['without a validator', {}],
    ['with a weak validator', { etag: 'W/"A"' }],
    ['with a date only', { 'last-modified': 'Sat, 01 Aug 2026 00:00:00 GMT' }],
    ['that says it knows no ranges', { etag: '"A"', 'accept-ranges': 'none' }],
  ])('of a response %s begins again', async (_, headers) => {
    const broken: Answer = ({ response, socket }) => {
      response.writeHead(200, { ...headers, 'content-length': BYTES });
      response.write(A.body.subarray(0, 70), () => socket.end());
    };
    const origin = await startOrigin({ '/a': inTurn(broken, serve(B)) });
    const rig = createDownloadRig(small);
    const entry = createEntry(rig, origin.url('/a'));
    expect(await entry.attempt()).toMatchObject({ code: 'TRUNCATED' });
    expect(entry.partial).toBeUndefined();
    expectNothingOpen(rig);
    expect(await entry.attempt()).toMatchObject({ state: 'done' });
    expect(origin.requests[1]?.headers.range).toBeUndefined();
    expect(rig.store.objects.get('files/a')?.body.equals(B.body)).toBe(true);
  });

  test('of unknown length goes on, and its length is known from then on', async () => {
    const origin = await startOrigin({ '/a': inTurn(ofUnknownLength, serve(A)) });
    const rig = createDownloadRig(small);
    const entry = createEntry(rig, origin.url('/a'), { options: { maxBytes: 1000 } });
    expect(await entry.attempt()).toMatchObject({ code: 'CONNECTION_LOST' });
    expect(entry.partial).toMatchObject({ parts: { length: 4 } });
    expect(await entry.attempt()).toEqual({
      state: 'done',
      bytes: BYTES,
      sha256: sha256(A),
      contentType: undefined,
      httpStatus: 206,
    });
    expectNothingOpen(rig);
  });
});

describe('what an entry must match', () => {
  test.each([
    ['SHA-256', { sha256: sha256(A) }],
    ['MD5', { md5: createHash('md5').update(A.body).digest('hex') }],
  ])('by its %s is compared over all attempts of one worker', async (_, expected) => {
    const origin = await startOrigin({ '/a': inTurn(serve(A, 70), serve(A)) });
    const rig = createDownloadRig(small);
    const entry = createEntry(rig, origin.url('/a'), { entry: expected });
    await entry.attempt();
    expect(await entry.attempt()).toMatchObject({ state: 'done', sha256: sha256(A), httpStatus: 206 });
    expectNothingOpen(rig);
  });

  test.each([true, false])(
    'by a digest is compared although its length was not known at first, and is large (by the same worker: %s)',
    async (same) => {
      const origin = await startOrigin({ '/a': inTurn(ofUnknownLength, serve(A)) });
      const large = { ...small, splitBytes: 2 * PART_BYTES };
      const rig = createDownloadRig(large);
      const entry = createEntry(rig, origin.url('/a'), { entry: { sha256: sha256(A) }, options: { maxBytes: 1000 } });
      expect(await entry.attempt()).toMatchObject({ code: 'CONNECTION_LOST' });
      expect(entry.partial).toMatchObject({ parts: { length: 4 } });
      const end = await entry.attempt(same ? rig : createDownloadRig({ ...large, files: rig.store }));
      expect(end).toMatchObject({ state: 'done', sha256: sha256(A), httpStatus: same ? 206 : 200 });
      expectNothingOpen(rig);
    },
  );

  test('by a digest makes another worker begin again', async () => {
    const origin = await startOrigin({ '/a': inTurn(serve(A, 70), serve(A)) });
    const rig = createDownloadRig(small);
    const entry = createEntry(rig, origin.url('/a'), { entry: { sha256: sha256(A) } });
    await entry.attempt();
    expect(await entry.attempt(anotherWorker(rig))).toMatchObject({
      state: 'done',
      sha256: sha256(A),
      httpStatus: 200,
    });
    expect(origin.requests[1]?.headers.range).toBeUndefined();
    expect(rig.store.calls).toMatchObject({ createUpload: 2, completeUpload: 1, abortUpload: 1 });
    expectNothingOpen(rig);
  });

  test('and does not, fails with what was begun left to the caller', async () => {
    const origin = await startOrigin({ '/a': inTurn(serve(A, 70), serve(A)) });
    const rig = createDownloadRig(small);
    const entry = createEntry(rig, origin.url('/a'), { entry: { sha256: sha256(B) } });
    await entry.attempt();
    expect(await entry.attempt()).toMatchObject({ code: 'DIGEST_MISMATCH' });
    expect(rig.store.objects.size).toBe(0);
    expect(entry.partial).toBeDefined();
  });
});

/** Version B as sources give it to who asks for the rest of A. */
const SWITCHED: Record<string, Answer> = {
  'honours If-Range': serve(B),
  'ignores the range': ({ response }) =>
    void response.writeHead(200, { etag: B.etag, 'content-length': B.body.length }).end(B.body),
  'ignores If-Range': partOf(B, {}),
  'gives another range': partOf(A, { 'content-range': `bytes 0-${BYTES - 1}/${BYTES}` }),
  'gives a range that ends early': partOf(A, { 'content-range': `bytes 64-${BYTES - 2}/${BYTES}` }),
  'gives a range of another length': partOf(A, { 'content-range': `bytes 64-${BYTES}/${BYTES + 1}` }),
  'gives a range of unknown length': partOf(A, { 'content-range': `bytes 64-${BYTES - 1}/*` }),
  'gives no Content-Range': partOf(A, { 'content-range': undefined }),
  'gives several ranges': partOf(A, { 'content-type': 'multipart/byteranges; boundary=x' }),
  'gives another encoding': partOf(A, { 'content-encoding': 'gzip' }),
  'cannot satisfy the range': whole(B, status(416, { 'content-range': `bytes */${BYTES + 7}` })),
  'gives a weak validator': partOf(A, { etag: 'W/"A"' }),
  'gives no validator': partOf(A, { etag: undefined }),
};

/** To a range a 206 with the rest of a version, some headers changed; without one, B whole. */
function partOf({ body, etag }: Version, changed: OutgoingHttpHeaders): Answer {
  return whole(B, (visit) => {
    const from = rangeStart(visit.request.headers) ?? 0;
    const range = `bytes ${from}-${body.length - 1}/${body.length}`;
    const headers = { etag, 'content-range': range, ...changed };
    const given = Object.entries(headers).filter(([, value]) => value !== undefined);
    visit.response.writeHead(206, Object.fromEntries(given)).end(body.subarray(from));
  });
}

/** A version whole, unless a range is asked for. */
function whole(version: Version, ranged: Answer): Answer {
  return (visit) => (rangeStart(visit.request.headers) === undefined ? serve(version)(visit) : ranged(visit));
}

describe('a source that has another version by then, at whatever offset', () => {
  test.each(Object.entries(SWITCHED))('and %s: one version is stored, never a mixture', async (_, answer) => {
    const origin = await startOrigin();
    for (let cut = 0; cut < BYTES; cut += 1) {
      const path = `/${cut}`;
      origin.on(path, inTurn(serve(A, cut), answer));
      const rig = createDownloadRig(small);
      const entry = createEntry(rig, origin.url(path));
      expect(await entry.attempt()).toMatchObject({ name: 'DownloadError' });
      const landed = entry.partial !== undefined;
      const end = await entry.attempt(cut % 2 === 0 ? rig : anotherWorker(rig));
      expect(end, `cut at ${cut}`).toMatchObject({
        state: 'done',
        bytes: B.body.length,
        sha256: sha256(B),
        httpStatus: 200,
      });
      expect(rig.store.objects.get('files/a')?.body.equals(B.body)).toBe(true);
      const { createUpload, completeUpload, abortUpload } = rig.store.calls;
      expect(abortUpload).toBe(createUpload - completeUpload);
      expect(createUpload).toBe(landed || cut > PART_BYTES ? 2 : 1);
      expect(entry.partial?.etag).not.toBe(A.etag);
      expectNothingOpen(rig);
    }
  });

  test('behind a redirect that leads elsewhere by then is another file, whatever its validator says', async () => {
    const twin = { body: B.body.subarray(0, BYTES), etag: A.etag };
    const origin = await startOrigin({
      '/a': inTurn(redirect('/mirror-1?signature=1'), redirect('/mirror-2?signature=2')),
      '/mirror-1?signature=1': serve(A, 70),
      '/mirror-2?signature=2': serve(twin),
    });
    const rig = createDownloadRig(small);
    const entry = createEntry(rig, origin.url('/a'));
    await entry.attempt();
    expect(JSON.stringify(entry.partial)).not.toContain('signature');
    expect(await entry.attempt()).toMatchObject({ state: 'done', httpStatus: 200 });
    expect(rig.store.objects.get('files/a')?.body.equals(twin.body)).toBe(true);
    expectNothingOpen(rig);
  });

  test('behind a redirect to another query may be another file, and is begun anew', async () => {
    const origin = await startOrigin({
      '/a': inTurn(redirect('/file?version=1'), redirect('/file?version=2')),
      '/file?version=1': serve(B, 70),
      '/file?version=2': serve(A),
    });
    const rig = createDownloadRig(small);
    const entry = createEntry(rig, origin.url('/a'));
    await entry.attempt();
    expect(await entry.attempt()).toMatchObject({ state: 'done', httpStatus: 200, sha256: sha256(A) });
    expectNothingOpen(rig);
  });
});

describe('an upload that somebody else', () => {
  const spoilings: Record<string, (rig: DownloadRig, partial: PartialFile) => Promise<unknown>> = {
    aborted: (rig, { uploadId }) => rig.store.abortUpload('files/a', uploadId),
    completed: (rig, { uploadId, parts }) => rig.store.completeUpload('files/a', uploadId, parts),
    'put another part into': (rig, { uploadId }) =>
      rig.store.putPart('files/a', uploadId, 2, Buffer.alloc(PART_BYTES, 'x')),
  };

  test.each(Object.entries(spoilings))('%s is given up within the attempt', async (_, spoil) => {
    const origin = await startOrigin({ '/file': inTurn(serve(A, 70), serve(A)) });
    origin.on('/a', redirect(origin.url('/file', 'mirror.test')));
    const rig = createDownloadRig(small);
    const entered: string[] = [];
    const enterHost = (host: string) => Promise.resolve(void entered.push(new URL(host).hostname));
    const entry = createEntry(rig, origin.url('/a'), { enterHost });
    await entry.attempt();
    if (entry.partial) await spoil(rig, entry.partial);
    entered.length = 0;
    expect(await entry.attempt()).toMatchObject({ state: 'done', sha256: sha256(A), httpStatus: 200 });
    // The slot moves with each request: to the mirror, back, and to it again.
    expect(entered).toEqual(['mirror.test', '127.0.0.1', 'mirror.test']);
    expect(rig.store.objects.get('files/a')?.body.equals(A.body)).toBe(true);
    expectNothingOpen(rig);
  });
});
