import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { refusal } from '../../../local/guard.ts';
import { startService } from '../../helpers/service.ts';

const own = { host: '127.0.0.1:8787', origin: undefined, secFetchSite: undefined };

describe('the guard', () => {
  it.each(['127.0.0.1', '127.0.0.1:8787', '127.1.2.3:1', 'localhost', 'LOCALHOST:9000', '[::1]', '[::1]:8787'])(
    'lets a request to %s pass',
    (host) => {
      expect(refusal({ ...own, host })).toBeUndefined();
    },
  );

  it.each([
    undefined,
    '',
    'example.com',
    'example.com:8787',
    'localhost.example.com',
    '127.0.0.1.example.com',
    '127.example.com',
    'user@localhost',
    'localhost@example.com',
    '10.0.0.1',
    '0.0.0.0:8787',
    '127.1',
    '0x7f.0.0.1',
    '2130706433',
    '[::ffff:127.0.0.1]',
    '[::]',
    'localhost.',
    'localhost:8787, example.com',
    'localhost/',
    'localhost:x',
  ])('refuses a request to %s', (host) => {
    expect(refusal({ ...own, host })).toMatch(/Host/);
  });

  it('lets a page pass that the service itself served', () => {
    expect(refusal({ ...own, origin: 'http://127.0.0.1:8787', secFetchSite: 'same-origin' })).toBeUndefined();
  });

  it.each([
    'http://example.com',
    'https://127.0.0.1:8787',
    'http://127.0.0.1:3000',
    'http://localhost:8787',
    'http://127.0.0.1:8787.example.com',
    'null',
    '',
    'file://',
  ])('refuses a page of %s', (origin) => {
    expect(refusal({ ...own, origin })).toMatch(/Origin/);
  });

  it('refuses what a browser calls cross-site, and takes what the user typed', () => {
    expect(refusal({ ...own, secFetchSite: 'cross-site' })).toMatch(/Sec-Fetch-Site/);
    expect(refusal({ ...own, secFetchSite: 'none' })).toBeUndefined();
  });
});

describe('the embedded service', () => {
  it('answers foreign requests with a problem, whatever they ask for, and starts nothing', async () => {
    const { url } = await startService();
    const foreign: Record<string, string>[] = [
      { host: 'rebound.example.com' },
      { origin: 'http://example.com' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
    ];
    for (const headers of foreign) {
      for (const [method, path] of [
        ['GET', '/batches'],
        ['GET', '/health'],
        ['GET', '/nothing/here'],
        ['OPTIONS', '/batches'],
        ['POST', '/batches'],
      ] as const) {
        const answer = await send(
          url + path,
          method,
          { 'content-type': 'text/plain', ...headers },
          'http://127.0.0.1/x',
        );
        expect({ method, path, headers, status: answer.status }).toEqual({ method, path, headers, status: 403 });
        expect(answer.body).toContain('urn:downburst:problem:foreign-request');
        expect(answer.headers['access-control-allow-origin']).toBeUndefined();
      }
    }
    const { batches } = (await (await fetch(`${url}/batches`)).json()) as { batches: unknown[] };
    expect(batches).toEqual([]);
  });
});

describe.each([
  ['without Host', 'GET /health HTTP/1.0\r\n\r\n', 400],
  ['with an empty Host', 'GET /health HTTP/1.1\r\nHost:\r\n\r\n', 400],
  ['with two Hosts', 'GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: example.com\r\n\r\n', 403],
  ['by a proxy', 'GET http://example.com/health HTTP/1.1\r\nHost: example.com\r\n\r\n', 403],
  ['with a Host that is none', 'GET /health HTTP/1.1\r\nHost: 127.0.0.1/@x\r\n\r\n', 400],
])('a request %s', (_, text, status) => {
  it('is refused', async () => {
    const { url } = await startService();
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    socket.write(text);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });
});

/** A request with exactly these headers; fetch would not let a caller set some of them. */
function send(url: string, method: string, headers: Record<string, string>, body: string) {
  return new Promise<{ status: number | undefined; headers: Record<string, unknown>; body: string }>(
    (resolve, reject) => {
      const outgoing = request(url, { method, headers }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: text }));
      });
      outgoing.on('error', reject);
      outgoing.end(method === 'POST' ? body : undefined);
    },
  );
}
