import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createBlocks } from '../../../core/http1/blocks.ts';
import { createConnection } from '../../../core/http1/connection.ts';
import { readIntoRooms, readResponse } from '../../helpers/read-response.ts';

/** Messages of each seed. */
const MESSAGES = 400;

/** What a client makes of a message: what it holds, or that it is broken. */
type Seen = { status: number; body: string; headers: Record<string, string> } | 'broken';

let port: number;
let pieces: readonly Buffer[] = [];
const server = createServer({ noDelay: true }, (socket: Socket) => {
  socket.on('error', () => undefined);
  socket.once('data', () => void play(socket));
});

/** Sends the message in its pieces, each in a packet of its own as far as that can be had, and closes. */
async function play(socket: Socket): Promise<void> {
  for (const piece of pieces) {
    await new Promise<void>((resolve) => socket.write(piece, () => setImmediate(resolve)));
  }
  socket.end();
}

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
});
afterAll(() => void server.close());

async function byNode(): Promise<Seen> {
  try {
    const request = get({ port, host: '127.0.0.1', agent: false, maxHeaderSize: 64 * 1024 });
    let broken: unknown;
    request.on('error', (error) => (broken ??= error));
    request.on('upgrade', (_, socket) => socket.destroy());
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    let body = '';
    for await (const piece of response) body += (piece as Buffer).toString('latin1');
    if (broken !== undefined || !response.complete) return 'broken';
    return { status: response.statusCode ?? 0, body, headers: told(response.headers) };
  } catch {
    return 'broken';
  }
}

const blocks = createBlocks(256);

/** @param roomBytes of the rooms that the body is read into, if it is */
async function byUs(roomBytes?: number): Promise<Seen> {
  const connection = createConnection({
    origin: 'http://127.0.0.1',
    open: (onread) => connect({ port, host: '127.0.0.1', onread }),
    openEvent: 'connect',
    blocks,
    maxHeaderBytes: 64 * 1024,
    freed: () => connection.destroy(),
    lost: () => undefined,
  });
  try {
    const response = await connection.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n', () => undefined);
    const body =
      roomBytes === undefined ? await readResponse(response) : (await readIntoRooms(response, roomBytes)).body;
    return { status: response.status, body: body.toString('latin1'), headers: told(response.headers) };
  } catch {
    return 'broken';
  } finally {
    connection.destroy();
    await connection.closed;
  }
}

/** The fields that a download reads. */
function told(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  const names = ['content-type', 'etag', 'content-range', 'accept-ranges', 'location', 'content-encoding'];
  return Object.fromEntries(names.map((name) => [name, String(headers[name])]));
}

/** What `node:http` refuses for no good: a line that is folded, blanks in what nobody reads of a chunk, bytes behind the end. */
function isStricter(message: string, { body, status }: Exclude<Seen, 'broken'>): boolean {
  const isFolded = /\r\n[ \t]/.test(message);
  const hasBlanks = /;[^\r\n]*[ \t]/.test(message);
  const isChunked = /^transfer-encoding/im.test(message);
  const endsThere = isChunked ? message.endsWith('\r\n\r\n') : message.endsWith(`\r\n\r\n${body}`);
  return isFolded || hasBlanks || status === 204 || status === 304 || !endsThere;
}

test.each([1, 2, 3, 4])('a response is to us what it is to node:http, or both refuse it (seed %i)', async (seed) => {
  const random = mulberry32(seed);
  for (let i = 0; i < MESSAGES; i++) {
    const message = messageOf(random);
    pieces = inPieces(message, random);
    const node = await byNode();
    const ours = await byUs();
    expect(await byUs(1 + Math.floor(random() * 1000))).toEqual(ours);
    if (node !== 'broken' || ours === 'broken' || !isStricter(message, ours)) {
      expect({ message, seen: ours }).toEqual({ message, seen: node });
    }
  }
});

type Random = () => number;

/** It tells what is in a wrong place. */
const BODY = Array.from({ length: 500 }, (_, i) => String(i).padStart(4, '0')).join('');

function messageOf(random: Random): string {
  const pick = <T>(...of: T[]): T => of[Math.floor(random() * of.length)] as T;
  const body = BODY.slice(0, Math.floor(random() ** 3 * BODY.length));
  const line = `HTTP/1.${pick(1, 1, 1, 0)} ${pick(200, 200, 200, 206, 404, 301, 204, 304, 500)} ${pick('OK', '', 'Not Found')}`;
  const fields = Array.from({ length: Math.floor(random() * 4) }, () =>
    pick(
      'ETag: "a"',
      'etag:W/"b"',
      'Content-Type:  text/plain ',
      'Location: /b',
      'Accept-Ranges: bytes',
      'Content-Encoding: br',
      'X: \t',
      'Connection: close',
      'Connection: keep-alive',
      'Content-Range: bytes 0-4/9',
    ),
  );
  const chunks = body.match(/.{1,300}/g) ?? [];
  const chunked = [
    ...chunks.map((chunk) => `${chunk.length.toString(16)}${pick('', '', ';a=b')}\r\n${chunk}\r\n`),
    `0\r\n${pick('', '', 'X: y\r\n')}\r\n`,
  ].join('');
  const [field, framed] = pick<[string, string]>(
    [`Content-Length: ${body.length}`, body],
    [`Content-Length: ${body.length}`, body],
    [`Content-Length: ${body.length + 1}`, body],
    ['Transfer-Encoding: chunked', chunked],
    ['Transfer-Encoding: chunked', chunked],
    ['X: close', body],
  );
  const interim = pick('', '', '', 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n', 'HTTP/1.1 100 Continue\r\n\r\n');
  let message = `${interim}${[line, ...fields, field].join('\r\n')}\r\n\r\n${framed}`;
  for (let faults = pick(0, 0, 1, 1, 2); faults > 0; faults--) {
    const at = Math.floor(random() ** 2 * message.length);
    const odd = pick(
      '\r',
      '\n',
      '\r\n',
      ':',
      ' ',
      '\t',
      '\0',
      ';',
      ',',
      '0',
      '9',
      'f',
      '\x7f',
      '\xe9',
      'Content-Length: 3\r\n',
    );
    message = message.slice(0, at) + pick(odd, odd, '') + message.slice(at + pick(0, 1));
  }
  return message;
}

function inPieces(message: string, random: Random): Buffer[] {
  const bytes = Buffer.from(message, 'latin1');
  const cuts = Array.from({ length: Math.floor(random() * 4) }, () => Math.floor(random() * bytes.length));
  const ends = [...cuts.sort((a, b) => a - b), bytes.length];
  return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end)).filter(({ length }) => length > 0);
}

/** Numbers from 0 to 1, the same ones for each seed. */
function mulberry32(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
