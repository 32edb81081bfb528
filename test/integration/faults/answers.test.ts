import { describe, expect, test } from 'vitest';
import { createBatchRig } from '../../helpers/batch-rig.ts';
import {
  atRandom,
  cutOff,
  drip,
  file,
  flood,
  hangUp,
  inTurn,
  raw,
  reset,
  silence,
  stall,
  status,
  times,
} from '../../helpers/origin-answers.ts';
import type { Answer } from '../../helpers/origin.ts';
import { expectOutcome, expectSeen, once, play, type Seen } from './play.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

const OK = 'HTTP/1.1 200 OK\r\n';
const hello = `${OK}Content-Length: 5\r\n\r\nhello`;

/** Failed after every attempt that an entry has. */
const retried = (code: Seen['code'], httpStatus?: number): Seen => ({
  code,
  attempts: 6,
  ...(httpStatus !== undefined && { httpStatus }),
});
/** Failed at once. */
const failed = (code: Seen['code'], httpStatus?: number): Seen => ({ ...retried(code, httpStatus), attempts: 1 });
const done = (stored: string, more: Partial<Seen> = {}): Seen => ({ stored, attempts: 1, ...more });
const unverified = (stored: string): Seen => done(stored, { lengthVerified: false });

describe('what is no answer', () => {
  test.each<[string, Answer, Seen]>([
    ['closes before a byte', raw('', { close: true }), retried('CONNECTION_LOST')],
    ['resets before a byte', hangUp, retried('CONNECTION_LOST')],
    ['answers with something that is not HTTP', raw('SSH-2.0-OpenSSH_9.6\r\n'), failed('BAD_RESPONSE')],
    ['answers with HTTP/2 unasked', raw('\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0d'), failed('BAD_RESPONSE')],
    ['bad header bytes', raw(`${OK}X: a\0b\r\nContent-Length: 0\r\n\r\n`), failed('BAD_RESPONSE')],
    ['a header name with a space', raw(`${OK}Content-Length : 5\r\n\r\nhello`), failed('BAD_RESPONSE')],
    ['headers beyond the limit', raw(`${OK}X: ${'x'.repeat(200_000)}\r\n\r\n`), failed('BAD_RESPONSE')],
    ['many headers beyond the limit', raw(`${OK}${'X: x\r\n'.repeat(100_000)}\r\n`), failed('BAD_RESPONSE')],
    ['headers dripping one byte a second', drip(hello, 1, SECOND), retried('HEADERS_TIMEOUT')],
    ['no answer at all', silence, retried('HEADERS_TIMEOUT')],
  ])('%s', async (_, answer, seen) => {
    await expectSeen(answer, seen);
  });

  test('headers as large as some sites send them are accepted', async () => {
    const headers = `Set-Cookie: ${'x'.repeat(30_000)}\r\n${'X: x\r\n'.repeat(3000)}`;
    await expectSeen(raw(`${OK}${headers}Content-Encoding: br\r\nContent-Length: 5\r\n\r\nhello`), done('hello'));
  });
});

describe('interim answers', () => {
  const interim = [100, 102, 103].map((code) => `HTTP/1.1 ${code} Wait\r\nLink: </x>; rel=preload\r\n\r\n`);

  test.each<[string, Answer, Seen]>([
    ['100 before the answer', raw(`${interim[0]}${hello}`), done('hello')],
    ['102 before the answer', raw(`${interim[1]}${hello}`), done('hello')],
    ['103 before the answer', raw(`${interim[2]}${hello}`), done('hello')],
    ['a thousand of them before the answer', raw(interim.join('').repeat(1000) + hello), done('hello')],
    ['a flood of them', flood(interim.join('').repeat(100), SECOND), retried('HEADERS_TIMEOUT')],
    [
      '101 unasked',
      raw('HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nx'),
      failed('UNEXPECTED_STATUS', 101),
    ],
    ['101 unasked, to nothing', raw('HTTP/1.1 101 Switching\r\n\r\nhello'), failed('UNEXPECTED_STATUS', 101)],
  ])('%s', async (_, answer, seen) => {
    await expectSeen(answer, seen);
  });
});

describe('framing', () => {
  const chunked = `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`;

  test.each<[string, Answer, Seen]>([
    ['Content-Length longer than the body', cutOff('hello', 100), retried('TRUNCATED', 200)],
    ['Content-Length longer than the body, reset', reset('hello', 100), retried('CONNECTION_LOST', 200)],
    ['Content-Length shorter than the body', raw(`${hello} world`), done('hello')],
    ['Content-Length twice', raw(`${OK}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello`), failed('BAD_RESPONSE')],
    [
      'Content-Length twice, not the same',
      raw(`${OK}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`),
      failed('BAD_RESPONSE'),
    ],
    ['Content-Length as a list', raw(`${OK}Content-Length: 5, 5\r\n\r\nhello`), failed('BAD_RESPONSE')],
    ['Content-Length negative', raw(`${OK}Content-Length: -5\r\n\r\nhello`), failed('BAD_RESPONSE')],
    ['Content-Length with a sign', raw(`${OK}Content-Length: +5\r\n\r\nhello`), failed('BAD_RESPONSE')],
    ['Content-Length in hex', raw(`${OK}Content-Length: 0x5\r\n\r\nhello`), failed('BAD_RESPONSE')],
    ['Content-Length huge', raw(`${OK}Content-Length: ${2 ** 60}\r\n\r\nhello`), failed('TOO_LARGE', 200)],
    [
      'Content-Length beyond all numbers',
      raw(`${OK}Content-Length: ${'9'.repeat(30)}\r\n\r\nhello`),
      failed('BAD_RESPONSE'),
    ],
    [
      'Content-Length with Transfer-Encoding',
      raw(`${OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`),
      failed('BAD_RESPONSE'),
    ],
    ['chunked without its end', cutOff('hello', 'chunked'), retried('TRUNCATED', 200)],
    ['chunked without its end, reset', reset('hello', 'chunked'), retried('CONNECTION_LOST', 200)],
    ['chunked with a bad chunk size', raw(`${chunked}zz\r\n`), retried('TRUNCATED', 200)],
    ['chunked with a chunk size beyond all numbers', raw(`${chunked}${'f'.repeat(17)}\r\n`), retried('TRUNCATED', 200)],
    [
      'chunked with a chunk longer than its size',
      raw(`${OK}Transfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n`),
      retried('TRUNCATED', 200),
    ],
    ['chunked with trailers', raw(`${chunked}0\r\nX-Digest: 1\r\nETag: "v2"\r\n\r\n`), done('hello')],
    [
      'chunked with a length in its trailers',
      raw(`${chunked}0\r\nContent-Length: 3\r\n\r\n`),
      retried('TRUNCATED', 200),
    ],
    [
      'chunked with extensions',
      raw(`${OK}Transfer-Encoding: chunked\r\n\r\n5;name=value\r\nhello\r\n0\r\n\r\n`),
      done('hello'),
    ],
    [
      'chunked with trailers beyond the limit',
      raw(`${chunked}0\r\nX: ${'x'.repeat(200_000)}\r\n\r\n`),
      retried('TRUNCATED', 200),
    ],
    [
      'Transfer-Encoding that ends by closing',
      raw(`${OK}Transfer-Encoding: gzip\r\n\r\nhello`, { close: true }),
      failed('BAD_RESPONSE', 200),
    ],
    ['HTTP/1.0', raw('HTTP/1.0 200 OK\r\n\r\nhello', { close: true }), unverified('hello')],
    [
      'HTTP/1.0 with its length',
      raw('HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello', { close: true }),
      done('hello'),
    ],
    ['HTTP/0.9', raw('hello', { close: true }), failed('BAD_RESPONSE')],
    ['body ended by close', file('hello', {}, 'close'), unverified('hello')],
    ['body ended by reset', reset('hello', 'close'), retried('CONNECTION_LOST', 200)],
  ])('%s', async (_, answer, seen) => {
    await expectSeen(answer, seen);
  });

  test('what breaks twice is whole the third time, and counted as three attempts', async () => {
    const body = 'x'.repeat(200_000);
    const stalled = stall(body.slice(0, 64 * 1024), body.length);
    await expectSeen(inTurn(...times(2, stalled), file(body)), { stored: body, attempts: 3 });
  });

  test.each([1, 2, 3, 4, 5])(
    'faults drawn at random end in the whole file, and in nothing else (seed %i)',
    async (seed) => {
      const body = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * seed) % 251));
      const part = body.subarray(0, 70_000);
      const faults = [
        hangUp,
        cutOff(part, body.length),
        reset(part, body.length),
        stall(part, body.length),
        cutOff(part, 'chunked'),
        raw(`${chunked}zz\r\n`),
        status(503, { 'retry-after': '30' }),
        status(500),
        silence,
      ];
      const { rig, outcome } = await play(atRandom(seed, faults, 5, file(body)));
      expectOutcome({ rig, outcome }, { stored: body, attempts: 6 });
    },
  );
});

describe('statuses', () => {
  test.each([
    ...[204, 205, 206, 304, 201, 300, 600].map((code) => [code, failed('UNEXPECTED_STATUS', code)] as const),
    ...[500, 502, 504, 408, 425, 599, 999].map((code) => [code, retried('SOURCE_ERROR', code)] as const),
    // A host that answers 429 lives: it takes four times as many to give it up.
    ...[429].map((code) => [code, { ...retried('RATE_LIMITED', code), attempts: 24 }] as const),
    ...[503].map((code) => [code, retried('UNAVAILABLE', code)] as const),
    ...[401, 403, 407, 451].map((code) => [code, failed('FORBIDDEN', code)] as const),
    ...[404, 410].map((code) => [code, failed('NOT_FOUND', code)] as const),
    ...[400, 418].map((code) => [code, failed('REFUSED', code)] as const),
  ])('%i', async (code, seen) => {
    await expectSeen(status(code), seen);
  });

  test.each([204, 205, 304])('%i with a body', async (code) => {
    const answer = raw(`HTTP/1.1 ${code} Odd\r\nContent-Length: 5\r\n\r\nhello`);
    await expectSeen(answer, failed('UNEXPECTED_STATUS', code));
  });

  test('206 unasked', async () => {
    const answer = raw('HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-4/100\r\nContent-Length: 5\r\n\r\nhello');
    await expectSeen(answer, failed('UNEXPECTED_STATUS', 206));
  });

  test.each([500, 502, 504, 408, 425, 999])('%i once is retried, and then done', async (code) => {
    await expectSeen(once(status(code), file('hello')), done('hello', { attempts: 2 }));
  });
});

describe('Retry-After', () => {
  // The driven clock begins at 2030-01-01.
  const obeyed: [string, string, number][] = [
    ['in seconds', '120', 2 * MINUTE],
    ['in seconds, with spaces', ' 7 ', 7 * SECOND],
    ['as a date', 'Tue, 01 Jan 2030 01:00:00 GMT', HOUR],
    ['as a date of RFC 850', 'Tuesday, 01-Jan-30 01:00:00 GMT', HOUR],
    ['longer than a ticket can wait', '7200', 2 * HOUR],
    ['of a day', '86400', 11 * HOUR],
    ['absurdly far', 'Fri, 01 Jan 2100 00:00:00 GMT', 11 * HOUR],
    ['absurdly many seconds', '9'.repeat(400), 11 * HOUR],
  ];
  test.each(obeyed.flatMap((row) => [429, 503].map((code) => [code, ...row] as const)))(
    '%i with Retry-After %s parks the host until then',
    async (code, _, value, waitMs) => {
      const { times } = await expectSeen(
        once(status(code, { 'retry-after': value }), file('hello')),
        done('hello', { attempts: 2 }),
      );
      // No request comes earlier; the sweeper's minute may pass before a long wait is seen to be over.
      expect(times[1]).toBeGreaterThanOrEqual(waitMs);
      expect(times[1]).toBeLessThanOrEqual(waitMs + MINUTE);
    },
  );

  test.each([
    ['in the past', 'Sun, 06 Nov 1994 08:49:37 GMT'],
    ['of no time', '0'],
    ['garbled', 'soon'],
    ['garbled: below zero', '-5'],
    ['garbled: a fraction', '1.5'],
    ['garbled: no such date', 'Tue, 99 Foo 2030 01:00:00 GMT'],
    ['garbled: a date without a zone', '2031-01-01'],
    ['garbled: empty', ''],
  ])('429 or 503 with Retry-After %s leaves the host to the usual pause', async (_, value) => {
    for (const code of [429, 503]) {
      const { times } = await expectSeen(
        once(status(code, { 'retry-after': value }), file('hello')),
        done('hello', { attempts: 2 }),
      );
      expect(times[1]).toBeLessThanOrEqual(2 * SECOND);
    }
  });

  test('holds for all entries of its host, and for no other host', async () => {
    const rig = await createBatchRig();
    const busy = once(status(429, { 'retry-after': '3600' }), file('late'));
    const origin = await rig.startOrigin({ '/a': busy, '/b': file('b'), '/c': file('c') });
    const urls = ['/a', '/b', '/c'].map((path) => origin.url(path, 'busy.test'));
    const { outcomes } = await rig.run([...urls, origin.url('/c', 'idle.test')], { connectionsPerHost: 1 });
    expect(outcomes.map(({ state, attempts }) => ({ state, attempts }))).toEqual([
      { state: 'done', attempts: 2 },
      { state: 'done', attempts: 1 },
      { state: 'done', attempts: 1 },
      { state: 'done', attempts: 1 },
    ]);
    const late = origin.requests.filter(({ at }) => at >= rig.startedAt + HOUR);
    expect(late.map(({ headers }) => headers.host?.split(':')[0])).toEqual(Array(3).fill('busy.test'));
    expect(origin.requests).toHaveLength(5);
  });
});
