import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Job, Loan, Stored } from '../../../core/download/downloader.ts';
import type { PartialFile } from '../../../core/model/partial-file.ts';
import { ObjectStoreError } from '../../../core/ports/object-store.ts';
import { createDownloadRig, jobFor, type DownloadRig, type JobOptions } from '../../helpers/download.ts';
import { createMemoryStore } from '../../helpers/memory-store.ts';
import { startOrigin, type Answer, type Origin, type Visit } from '../../helpers/origin.ts';
import { until } from '../../helpers/until.ts';
import { rangeOf, serve, version, type Version } from '../../helpers/versions.ts';

const PART_BYTES = 16;
const PARTS = 20;
/** The last part is shorter. */
const BYTES = PARTS * PART_BYTES - 5;

const A = version('A', BYTES);
const B = version('B', BYTES + 7);
const C = version('C', BYTES + 9);

const small = { leastPartBytes: PART_BYTES, splitBytes: 4 * PART_BYTES };
const sha256 = ({ body }: Version) => createHash('sha256').update(body).digest('hex');
const md5 = ({ body }: Version) => createHash('md5').update(body).digest('hex');

/** So many connections beside the attempt's own, and who has them. */
function createLender(spare: number) {
  const waiting: (() => void)[] = [];
  const failures: string[] = [];
  let lent = 0;
  let peak = 0;
  const serveWaiting = () => {
    while (lent < spare && waiting.length > 0) waiting.shift()?.();
  };
  const borrow: NonNullable<Job['borrow']> = (_host, signal) =>
    new Promise<Loan>((resolve, reject) => {
      signal.throwIfAborted();
      const leave = () => {
        if (waiting.includes(grant)) waiting.splice(waiting.indexOf(grant), 1);
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', leave, { once: true });
      const grant = () => {
        peak = Math.max(peak, (lent += 1));
        const drop = () => {
          lent -= 1;
          serveWaiting();
        };
        const end: Loan['end'] = (failure) => {
          if (failure) failures.push(failure.code);
          drop();
        };
        resolve({ drop, end, handOver: () => end });
      };
      waiting.push(grant);
      serveWaiting();
    });
  return { borrow, failures, lent: () => lent, peak: () => peak };
}

/** The entry as a turn keeps it between attempts. */
function createEntry(rig: DownloadRig, url: string, options: JobOptions = {}, spare = 3) {
  let partial: PartialFile | undefined;
  let wasChanged = false;
  const lender = createLender(spare);
  return {
    lender,
    attempt: async (by: DownloadRig = rig, more: JobOptions = {}): Promise<Stored | { code: string }> => {
      const end = await by
        .download(
          jobFor(url, {
            borrow: lender.borrow,
            ...options,
            ...more,
            partial: partial && (JSON.parse(JSON.stringify(partial)) as PartialFile),
            keep: (told) => {
              partial = told;
              more.keep?.(told);
            },
            wasChanged,
            changed: () => (wasChanged = true),
          }),
        )
        .catch((error: unknown) => error as { code: string });
      expect(lender.lent()).toBe(0);
      return end;
    },
    get partial() {
      return partial;
    },
  };
}

/** Holds back what is not of a range until so many ranges have been asked for: others then have a share of the file. */
function slowStream(version: Version, ranges: number): Answer {
  const enough = Promise.withResolvers<undefined>();
  let asked = 0;
  return async (visit) => {
    if (rangeOf(visit.request.headers)) {
      if (++asked >= ranges) enough.resolve(undefined);
      await serve(version)(visit);
      return;
    }
    const { response } = visit;
    response.writeHead(200, { etag: version.etag, 'accept-ranges': 'bytes', 'content-length': version.body.length });
    response.write(version.body.subarray(0, PART_BYTES));
    await enough.promise;
    response.end(version.body.subarray(PART_BYTES));
  };
}

const rangesOf = (origin: Origin) => origin.requests.map(({ headers }) => rangeOf(headers));

function expectStored(rig: DownloadRig, version: Version): void {
  expect(rig.store.objects.get('files/a')?.body.equals(version.body)).toBe(true);
  expectNothingOpen(rig);
}

function expectNothingOpen(rig: DownloadRig): void {
  expect(rig.store.openUploads).toBe(0);
  expect(rig.budget).toMatchObject({ reservedBytes: 0, waiting: 0 });
  expect(rig.clock.pending()).toBe(0);
}

const another = (rig: DownloadRig, options: object = {}) =>
  createDownloadRig({ ...small, files: rig.store, ...options });

describe('a large file', () => {
  test('is fetched over the connections that are lent to it, every byte once', async () => {
    const origin = await startOrigin({ '/a': slowStream(A, PARTS - 5) });
    const rig = createDownloadRig(small);
    const entry = createEntry(rig, origin.url('/a'));
    expect(await entry.attempt()).toEqual({
      state: 'done',
      bytes: BYTES,
      sha256: undefined,
      contentType: undefined,
      httpStatus: 200,
    });
    expectStored(rig, A);
    const starts = rangesOf(origin).flatMap((range) => (range ? [range.from] : []));
    expect(new Set(starts).size).toBe(starts.length);
    expect(starts.length).toBeGreaterThanOrEqual(PARTS - 5);
    expect(entry.lender.peak()).toBe(3);
    expect(rig.store.calls).toMatchObject({ createUpload: 1, putPart: PARTS, completeUpload: 1, abortUpload: 0 });
    for (const { headers } of origin.requests.slice(1)) expect(headers['if-range']).toBe(A.etag);
  });

  test('has no more connections than connectionsPerFile', async () => {
    const origin = await startOrigin({ '/a': slowStream(A, 6) });
    const rig = createDownloadRig(small);
    const entry = createEntry(rig, origin.url('/a'), { options: { connectionsPerFile: 2 } });
    expect(await entry.attempt()).toMatchObject({ state: 'done' });
    expect(entry.lender.peak()).toBe(1);
    expectStored(rig, A);
  });

  test('has a further connection no sooner than the line could take a part for the one before', async () => {
    const enough = Promise.withResolvers<undefined>();
    const rig = createDownloadRig({ ...small, lineBytesPerSecond: 10 * PART_BYTES });
    const slow = slowStream(A, 3);
    const origin = await startOrigin({
      '/a': async (visit) => {
        if (rangeOf(visit.request.headers)) await enough.promise;
        await slow(visit);
      },
    });
    const { attempt, lender } = createEntry(rig, origin.url('/a'));
    const end = attempt();
    for (const lent of [1, 2, 3]) {
      await until(() => lender.lent() === lent);
      for (let turns = 0; turns < 100; turns++) await setImmediate();
      expect(lender.lent()).toBe(lent);
      await rig.clock.advance(99);
      expect(lender.lent()).toBe(lent);
      await rig.clock.advance(1);
    }
    enough.resolve(undefined);
    expect(await end).toMatchObject({ state: 'done' });
    expectStored(rig, A);
  });

  test('has all its connections although one fails while they are begun', async () => {
    const enough = Promise.withResolvers<undefined>();
    const rig = createDownloadRig({ ...small, lineBytesPerSecond: 10 * PART_BYTES });
    const slow = slowStream(A, 3);
    let asked = 0;
    const origin = await startOrigin({
      '/a': async (visit) => {
        const isRange = rangeOf(visit.request.headers) !== undefined;
        if (isRange && ++asked === 1) return void visit.response.writeHead(503).end();
        if (isRange) await enough.promise;
        await slow(visit);
      },
    });
    const { attempt, lender } = createEntry(rig, origin.url('/a'));
    const end = attempt();
    await until(() => lender.failures.length === 1);
    for (const lent of [1, 2, 3]) {
      await rig.clock.advance(100);
      await until(() => lender.lent() === lent);
      for (let turns = 0; turns < 100; turns++) await setImmediate();
    }
    enough.resolve(undefined);
    expect(await end).toMatchObject({ state: 'done' });
    expect(lender.failures).toEqual(['UNAVAILABLE']);
    expectStored(rig, A);
  });

  test('has fewer connections once a second one fails, though others have come between', async () => {
    const [third, enough] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
    const rig = createDownloadRig({ ...small, lineBytesPerSecond: 10 * PART_BYTES });
    const slow = slowStream(A, 2);
    let asked = 0;
    const origin = await startOrigin({
      '/a': async (visit) => {
        const number = rangeOf(visit.request.headers) ? ++asked : 0;
        if (number === 3) await third.promise;
        if (number === 1 || number === 3) return void visit.response.writeHead(503).end();
        if (number > 3) await enough.promise;
        await slow(visit);
      },
    });
    const { attempt, lender } = createEntry(rig, origin.url('/a'));
    const end = attempt();
    await until(() => lender.failures.length === 1);
    for (const number of [2, 3, 4]) {
      await rig.clock.advance(100);
      await until(() => asked === number && (number > 2 || lender.lent() === 0));
    }
    expect(lender.lent()).toBe(2);
    third.resolve(undefined);
    await until(() => lender.failures.length === 2);
    for (let times = 0; times < 3; times++) {
      await rig.clock.advance(100);
      for (let turns = 0; turns < 100; turns++) await setImmediate();
      expect(lender.lent()).toBe(1);
    }
    enough.resolve(undefined);
    expect(await end).toMatchObject({ state: 'done' });
    expectStored(rig, A);
  });

  test('has few parts on their way to the store, where that is slower than the source', async () => {
    const origin = await startOrigin({ '/a': slowStream(A, PARTS - 5) });
    const stored = Promise.withResolvers<undefined>();
    let underWay = 0;
    let asked = 0;
    const rig = createDownloadRig({
      ...small,
      store: {
        before: async (call, _key, { part = 1 }) => {
          if (call !== 'putPart' || part === 1) return;
          if (++underWay === 4) {
            // Long enough for all others to be asked for.
            for (let turns = 0; turns < 100; turns++) await setImmediate();
            asked = rangesOf(origin).filter(Boolean).length;
            stored.resolve(undefined);
          }
          await stored.promise;
        },
      },
    });
    const entry = createEntry(rig, origin.url('/a'), { options: { connectionsPerFile: 4 } }, 100);
    expect(await entry.attempt()).toMatchObject({ state: 'done' });
    // Four that are stored, and those that were asked for before they were.
    expect(asked).toBeLessThanOrEqual(4 + 3);
    expectStored(rig, A);
  });

  test.each([
    ['below the threshold', { splitBytes: BYTES + 1 }, {}, A],
    ['with one connection per file', {}, { options: { connectionsPerFile: 1 } }, A],
    ['of a weak validator', {}, {}, { ...A, etag: 'W/"A"' }],
  ])('%s comes as one stream', async (_, rigOptions, jobOptions, file) => {
    const origin = await startOrigin({ '/a': serve(file) });
    const rig = createDownloadRig({ ...small, ...rigOptions });
    const entry = createEntry(rig, origin.url('/a'), jobOptions);
    expect(await entry.attempt()).toMatchObject({ state: 'done', sha256: sha256(A) });
    expect(origin.requests).toHaveLength(1);
    expectStored(rig, A);
  });

  test('that has more parts than a store takes, of what the memory holds, fails before a byte of it is read, and says so', async () => {
    const origin = await startOrigin({
      '/a': ({ response }) => {
        response.writeHead(200, { etag: A.etag, 'content-length': 11e9 }).flushHeaders();
      },
    });
    const rig = createDownloadRig({ ...small, budgetBytes: 1024 ** 2 });
    const end = await createEntry(rig, origin.url('/a')).attempt();
    expect(end).toMatchObject({
      code: 'TOO_LARGE',
      message: expect.stringContaining('10000 parts of 1048576') as unknown,
    });
    expectNothingOpen(rig);
  });

  test('comes also with memory for one part, where the stream has one when others have begun the next', async () => {
    const partBytes = 256 * 1024;
    const large = { body: Buffer.alloc(2 * partBytes, A.body), etag: A.etag };
    const rig = createDownloadRig({ budgetBytes: partBytes, leastPartBytes: partBytes, splitBytes: 2 * partBytes });
    const asked = Promise.withResolvers<undefined>();
    const origin = await startOrigin({
      '/a': async (visit) => {
        const { request, response } = visit;
        if (rangeOf(request.headers)) {
          asked.resolve(undefined);
          await expect.poll(() => rig.budget.peakBytes).toBe(partBytes); // the stream has them
          await serve(large)(visit);
          return;
        }
        response.writeHead(200, { etag: large.etag, 'accept-ranges': 'bytes', 'content-length': 2 * partBytes });
        response.write(large.body.subarray(0, 1));
        await asked.promise;
        response.end(large.body.subarray(1));
      },
    });
    expect(await createEntry(rig, origin.url('/a')).attempt()).toMatchObject({ state: 'done', bytes: 2 * partBytes });
    expect(rangesOf(origin)).toEqual([undefined, { from: partBytes, to: 2 * partBytes }]);
    expectStored(rig, large);
  });

  test('whose ranges are refused although they were promised is one stream, and nothing is lost', async () => {
    const whole: Answer = ({ response }) =>
      void response.writeHead(200, { etag: A.etag, 'accept-ranges': 'bytes', 'content-length': BYTES }).end(A.body);
    for (const refusal of [whole, statusOnly(416), statusOnly(403)]) {
      const origin = await startOrigin({ '/a': streamFirst(refusal) });
      const rig = createDownloadRig(small);
      const entry = createEntry(rig, origin.url('/a'));
      expect(await entry.attempt()).toMatchObject({ state: 'done', sha256: sha256(A) });
      expect(origin.requests.length).toBeLessThanOrEqual(1 + 3);
      expectStored(rig, A);
    }
  });

  test('whose ranges come and then do not, goes on without other connections, then as one stream', async () => {
    let ranges = 0;
    const fickle: Answer = (visit) => {
      if (rangeOf(visit.request.headers) && ++ranges > 6) {
        statusOnly(416)(visit);
        return;
      }
      return serve(A)(visit);
    };
    const origin = await startOrigin({ '/a': fickle });
    const rig = createDownloadRig(small);
    const entry = createEntry(rig, origin.url('/a'));
    expect(await entry.attempt()).toMatchObject({ state: 'done' });
    expectStored(rig, A);
  });

  test('of which parts break is fetched all the same', async () => {
    let n = 0;
    const slow = slowStream(A, 12);
    const breaking: Answer = (visit) => (rangeOf(visit.request.headers) && ++n % 3 === 0 ? reset(visit) : slow(visit));
    const origin = await startOrigin({ '/a': breaking });
    const rig = createDownloadRig(small);
    const entry = createEntry(rig, origin.url('/a'));
    expect(await entry.attempt()).toMatchObject({ state: 'done' });
    expect(entry.lender.failures).toContain('CONNECTION_LOST');
    expectStored(rig, A);
  });

  test.each([
    ['resets', () => reset],
    ['refuses', () => statusOnly(403)],
  ])('whose source %s what is more than so many at once, comes over so many', async (_, surplus) => {
    const most = 3;
    const enough = Promise.withResolvers<undefined>();
    const rig = createDownloadRig(small);
    let asked = 0;
    let open = 0;
    let served = 0;
    let refused = 0;
    const origin = await startOrigin({
      '/a': async (visit) => {
        const { request, response } = visit;
        if (!rangeOf(request.headers)) {
          response.writeHead(200, { etag: A.etag, 'accept-ranges': 'bytes', 'content-length': BYTES });
          response.write(A.body.subarray(0, PART_BYTES));
          await enough.promise;
          response.end(A.body.subarray(PART_BYTES));
          return;
        }
        if (asked++ > 0) {
          while (rig.store.calls.putPart === 0) await setImmediate(); // until the first has landed
          if (open >= most) {
            refused += 1;
            surplus()(visit);
            return;
          }
          open += 1;
          while (refused < 5) await setImmediate(); // until those that are too many have come and gone
          open -= 1;
        }
        await serve(A)(visit);
        if (++served >= PARTS - 3) enough.resolve(undefined);
      },
    });
    const entry = createEntry(rig, origin.url('/a'), {}, 9);
    expect(await entry.attempt()).toMatchObject({ state: 'done' });
    expect(served).toBeGreaterThanOrEqual(PARTS - 3);
    expectStored(rig, A);
  });

  test('of which parts end early, or are too long, is never stored so', async () => {
    const refusal: Answer = (visit) => {
      const range = rangeOf(visit.request.headers) ?? { from: 0, to: BYTES };
      const { from, to } = { from: range.from, to: Math.min(range.to, BYTES) };
      const lie = from % 32 === 0 ? -1 : 1;
      visit.response.writeHead(206, {
        etag: A.etag,
        'content-range': `bytes ${from}-${to - 1}/${BYTES}`,
        'transfer-encoding': 'chunked',
      });
      visit.response.end(Buffer.alloc(to - from + lie, 'x'));
    };
    const origin = await startOrigin({ '/a': streamFirst(refusal) });
    const rig = createDownloadRig(small);
    const entry = createEntry(rig, origin.url('/a'));
    expect(await entry.attempt()).toMatchObject({ state: 'done', sha256: sha256(A) });
    expectStored(rig, A);
  });
});

describe('a source that has another version by then', () => {
  test.each([
    ['gives it whole', (version: Version) => serve(version), {}],
    ['gives a range of it', (version: Version) => ignoringIfRange(version), {}],
    ['gives it whole, where parts come in their order', (version: Version) => serve(version), { sha256: sha256(B) }],
  ])('and %s, at whatever part: the file is begun anew, once, as one stream', async (_, serveNext, given) => {
    const origin = await startOrigin();
    for (let n = 1; n < PARTS; n++) {
      let requests = 0;
      const slow = slowStream(A, 3);
      // The first request is the stream, and waits for the third of the ranges.
      origin.on(`/${n}`, (visit) => (++requests > n + 1 ? serveNext(B)(visit) : slow(visit)));
      const rig = createDownloadRig(small);
      const entry = createEntry(rig, origin.url(`/${n}`), { entry: given });
      const end = await entry.attempt();
      if (requests <= n + 1) {
        if ('sha256' in given) expect(end).toMatchObject({ code: 'DIGEST_MISMATCH' });
        else expectStored(rig, A);
        continue;
      }
      expect(end).toMatchObject({ state: 'done', bytes: B.body.length, sha256: sha256(B) });
      expectStored(rig, B);
      expect(rangesOf(origin).at(-1)).toBeUndefined();
    }
  });

  test('and another one after that fails the entry as SOURCE_CHANGED', async () => {
    const slow = slowStream(A, 1);
    let requests = 0;
    let next: Answer = serve(B, 100);
    const origin = await startOrigin({ '/a': (visit) => (requests++ === 0 ? slow(visit) : next(visit)) });
    const rig = createDownloadRig(small);
    const entry = createEntry(rig, origin.url('/a'));
    expect(await entry.attempt()).toMatchObject({ code: 'TRUNCATED' });
    next = serve(C);
    expect(await entry.attempt()).toMatchObject({ code: 'SOURCE_CHANGED' });
    expect(rig.store.objects.size).toBe(0);
    expectNothingOpen(rig);
  });
});

describe('a large file to which a signed URL leads', () => {
  /** Redirects to another signature each time; each is good for so many requests. */
  async function startSigned(requestsPerSignature: number, stream: Answer = serve(A)) {
    let signatures = 0;
    const asked = new Map<string, number>();
    const origin = await startOrigin({
      '/a': ({ response }) => void response.writeHead(302, { location: `/signed?signature=${++signatures}` }).end(),
    });
    for (let n = 1; n <= PARTS; n++) {
      const path = `/signed?signature=${n}`;
      origin.on(path, (visit) => {
        const count = (asked.get(path) ?? 0) + 1;
        asked.set(path, count);
        const answer = count > requestsPerSignature ? statusOnly(403) : count === 1 ? stream : serve(A);
        return answer(visit);
      });
    }
    return { origin, signatures: () => signatures };
  }

  test('goes on with another signature where an attempt broke off', async () => {
    const cut = 10 * PART_BYTES + 3;
    const { origin } = await startSigned(Infinity, (visit) =>
      serve(A, rangeOf(visit.request.headers) ? Infinity : cut)(visit),
    );
    const rig = createDownloadRig(small);
    const entry = createEntry(rig, origin.url('/a'), { options: { connectionsPerFile: 1 } });
    expect(await entry.attempt()).toMatchObject({ code: 'TRUNCATED' });
    expect(await entry.attempt()).toMatchObject({ state: 'done', bytes: BYTES, sha256: sha256(A) });
    expectStored(rig, A);
    expect(rangesOf(origin).at(-1)).toMatchObject({ from: 10 * PART_BYTES });
  });

  test('is begun anew if it leads to another path, whatever the validator says', async () => {
    let visits = 0;
    const origin = await startOrigin({
      '/a': ({ response }) => void response.writeHead(302, { location: `/mirror-${++visits}` }).end(),
      '/mirror-1': serve(A, 10 * PART_BYTES + 3),
      '/mirror-2': serve({ ...B, etag: A.etag }),
    });
    const rig = createDownloadRig(small);
    const entry = createEntry(rig, origin.url('/a'), { options: { connectionsPerFile: 1 } });
    expect(await entry.attempt()).toMatchObject({ code: 'TRUNCATED' });
    expect(await entry.attempt()).toMatchObject({ state: 'done', sha256: sha256(B) });
    expectStored(rig, B);
  });

  test('has another one, and its connections, once the signature has run out; nothing is fetched twice', async () => {
    const waits: Answer = async (visit) => {
      const { response, request } = visit;
      const { from, to } = rangeOf(request.headers) ?? { from: 0, to: BYTES };
      const end = Math.min(to, BYTES);
      const headers = { etag: A.etag, 'accept-ranges': 'bytes', 'content-length': end - from };
      if (from === 0) response.writeHead(200, headers);
      else response.writeHead(206, { ...headers, 'content-range': `bytes ${from}-${end - 1}/${BYTES}` });
      // Slow enough for the others to have what is left.
      for (let at = from; at < end && !visit.socket.destroyed; at += PART_BYTES) {
        response.write(A.body.subarray(at, Math.min(end, at + PART_BYTES)));
        for (let n = 0; n < 100; n++) await setImmediate();
      }
      response.end();
    };
    const { origin, signatures } = await startSigned(5, waits);
    const rig = createDownloadRig(small);
    const entry = createEntry(rig, origin.url('/a'));
    expect(await entry.attempt()).toMatchObject({ state: 'done', bytes: BYTES });
    expectStored(rig, A);
    expect(signatures()).toBeGreaterThan(1);
    expect(rig.store.calls).toMatchObject({ createUpload: 1, putPart: PARTS, abortUpload: 0 });
  });
});

describe('an attempt that ends in the middle of a large file', () => {
  test('leaves every part that has landed to the next, whichever worker makes it', async () => {
    const origin = await startOrigin();
    for (let landed = 1; landed < PARTS; landed++) {
      const path = `/${landed}`;
      origin.on(path, slowStream(A, 6));
      const rig = createDownloadRig(small);
      const entry = createEntry(rig, origin.url(path));
      const stop = new AbortController();
      const keep = (told: PartialFile | undefined) => {
        if ((told?.parts.length ?? 0) >= landed) stop.abort(new Error('killed'));
      };
      await entry.attempt(rig, { signal: stop.signal, keep });
      const known = entry.partial?.parts ?? [];
      expect(known.length).toBeGreaterThanOrEqual(landed);
      const before = origin.requests.length;
      expect(await entry.attempt(another(rig))).toMatchObject({ state: 'done', bytes: BYTES });
      expectStored(rig, A);
      // Nothing that is there is asked for again: the stream is told where the gap ends, or is cut off there.
      const asked = rangesOf(origin).slice(before);
      const there = new Set(known.map(({ number }) => (number - 1) * PART_BYTES));
      for (const range of asked) expect(there.has(range?.from ?? 0), `from ${range?.from ?? 0}`).toBe(false);
      expect(rig.store.calls.putPart).toBeLessThanOrEqual(PARTS + 4);
    }
  });

  test.each([false, true])(
    'whose completion was not answered ends without a request (digest given: %s)',
    async (given) => {
      const memory = createMemoryStore();
      let fails = 1;
      const files = {
        ...memory,
        async completeUpload(...call: Parameters<typeof memory.completeUpload>) {
          await memory.completeUpload(...call);
          if (fails-- > 0) throw new ObjectStoreError('UNAVAILABLE', 'no answer');
        },
      };
      const rig = createDownloadRig({
        ...small,
        files: Object.create(memory, Object.getOwnPropertyDescriptors(files)) as typeof memory,
      });
      const origin = await startOrigin({ '/a': slowStream(A, PARTS - 1) });
      const entry = createEntry(rig, origin.url('/a'), given ? { entry: { sha256: sha256(A) } } : {});
      expect(await entry.attempt()).toMatchObject({ code: 'STORE_FAILED' });
      const { length } = origin.requests;
      const isWhole = entry.partial?.parts.length === PARTS;
      expect(await entry.attempt(another(rig))).toMatchObject({ state: 'done', bytes: BYTES });
      if (isWhole) expect(origin.requests).toHaveLength(length);
      expect(memory.objects.get('files/a')?.body.equals(A.body)).toBe(true);
      expect(memory.openUploads).toBe(0);
    },
  );

  test.each([false, true])(
    'that had no connection to spare and could not complete ends without a request, too (digest given: %s)',
    async (given) => {
      let fails = 1;
      const before = (call: string) => {
        if (call === 'completeUpload' && fails-- > 0) throw new ObjectStoreError('UNAVAILABLE', 'not now');
      };
      const rig = createDownloadRig({ ...small, store: { before } });
      const origin = await startOrigin({ '/a': serve(A) });
      const entry = createEntry(rig, origin.url('/a'), given ? { entry: { sha256: sha256(A) } } : {}, 0);
      expect(await entry.attempt()).toMatchObject({ code: 'STORE_FAILED' });
      expect(entry.partial?.parts).toHaveLength(PARTS);
      expect(await entry.attempt()).toMatchObject({ state: 'done', bytes: BYTES, sha256: sha256(A) });
      expect(origin.requests).toHaveLength(1);
      expectStored(rig, A);
    },
  );

  test('announces no part that lands while its upload is given up', async () => {
    const landing = Promise.withResolvers<undefined>();
    const rig = createDownloadRig({
      ...small,
      store: {
        before: async (call, _key, { part }) => {
          if (call === 'putPart' && part === PARTS) await landing.promise;
        },
      },
    });
    let requests = 0;
    const origin = await startOrigin({
      '/a': (visit) => (++requests > 4 ? serve(B)(visit) : slowStream(A, 100)(visit)),
    });
    const told: (PartialFile | undefined)[] = [];
    const entry = createEntry(rig, origin.url('/a'));
    const end = entry.attempt(rig, { keep: (partial) => told.push(partial) });
    while (!rangesOf(origin).some((range, i) => i > 0 && range === undefined)) {
      await setImmediate();
      if (requests > 4) landing.resolve(undefined);
    }
    expect(await end).toMatchObject({ state: 'done', sha256: sha256(B) });
    const gone = told.findIndex((partial, i) => i > 0 && partial === undefined);
    expect(told.slice(gone).some((partial) => partial?.etag === A.etag)).toBe(false);
    expectStored(rig, B);
  });
});

describe('the digest that a large file must have', () => {
  test.each([
    ['SHA-256', { sha256: sha256(A) }],
    ['MD5', { md5: md5(A) }],
    ['both', { sha256: sha256(A), md5: md5(A) }],
  ])('is compared as parts come, over any number of connections: %s', async (_, digests) => {
    const origin = await startOrigin({ '/a': slowStream(A, 3) });
    const rig = createDownloadRig(small);
    const entry = createEntry(rig, origin.url('/a'), { entry: digests }, 7);
    expect(await entry.attempt()).toMatchObject({ state: 'done', bytes: BYTES });
    expectStored(rig, A);
    expect(rangesOf(origin).length).toBeGreaterThan(3);
  });

  test('is compared also with little memory, where parts break', async () => {
    let n = 0;
    const slow = slowStream(A, 1);
    const origin = await startOrigin({
      '/a': (visit) => (rangeOf(visit.request.headers) && ++n % 4 === 1 ? reset(visit) : slow(visit)),
    });
    // Three parts, however small.
    const rig = createDownloadRig({ ...small, budgetBytes: 3 * 256 * 1024 });
    const entry = createEntry(rig, origin.url('/a'), { entry: { sha256: sha256(A) } }, 15);
    for (let attempts = 1; ; attempts++) {
      const end = await entry.attempt(attempts % 2 === 0 ? rig : another(rig, { budgetBytes: 3 * 256 * 1024 }));
      if ('state' in end) break;
      expect(attempts).toBeLessThan(PARTS);
    }
    expectStored(rig, A);
  });

  test('is compared after any number of attempts by any number of workers', async () => {
    const origin = await startOrigin();
    for (let landed = 1; landed < PARTS; landed++) {
      const path = `/${landed}`;
      origin.on(path, slowStream(A, 1));
      const rig = createDownloadRig(small);
      const entry = createEntry(rig, origin.url(path), { entry: { sha256: sha256(A), md5: md5(A) } });
      const stop = new AbortController();
      const keep = (told: PartialFile | undefined) => {
        if ((told?.parts.length ?? 0) >= landed) stop.abort(new Error('killed'));
      };
      await entry.attempt(rig, { signal: stop.signal, keep });
      expect(entry.partial?.digests).toBeDefined();
      const before = origin.requests.length;
      const from = (entry.partial?.parts.length ?? 0) * PART_BYTES;
      expect(await entry.attempt(another(rig))).toMatchObject({ state: 'done', sha256: sha256(A) });
      for (const range of rangesOf(origin).slice(before)) expect(range?.from).toBeGreaterThanOrEqual(from);
      expectStored(rig, A);
    }
  });

  test('and has not, is told before anything is stored under its key', async () => {
    const origin = await startOrigin({ '/a': slowStream(A, 3) });
    const rig = createDownloadRig(small);
    const entry = createEntry(rig, origin.url('/a'), { entry: { sha256: sha256(B) } });
    expect(await entry.attempt()).toMatchObject({ code: 'DIGEST_MISMATCH' });
    expect(rig.store.objects.size).toBe(0);
    expect(rig.store.calls.completeUpload).toBe(0);
  });
});

function statusOnly(status: number): (visit: Visit) => void {
  return ({ response }) => void response.writeHead(status).end();
}

/** The whole file as a stream that waits for a range to be refused. */
function streamFirst(refusal: Answer): Answer {
  const refused = Promise.withResolvers<undefined>();
  return async (visit) => {
    if (rangeOf(visit.request.headers)) {
      await refusal(visit);
      refused.resolve(undefined);
      return;
    }
    const { response } = visit;
    response.writeHead(200, { etag: A.etag, 'accept-ranges': 'bytes', 'content-length': BYTES });
    response.write(A.body.subarray(0, PART_BYTES + 1));
    await refused.promise;
    response.end(A.body.subarray(PART_BYTES + 1));
  };
}

function ignoringIfRange(version: Version): Answer {
  return (visit) => {
    const { request } = visit;
    if (rangeOf(request.headers)) request.headers['if-range'] = version.etag;
    return serve(version)(visit);
  };
}

const reset: (visit: Visit) => void = ({ socket }) => void socket.resetAndDestroy();
