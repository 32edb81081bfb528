import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectTcp, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { setImmediate } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { createBlocks, type Blocks } from '../../../core/http1/blocks.ts';
import { createConnection } from '../../../core/http1/connection.ts';
import { createTrustedAuthority } from '../../helpers/certificates.ts';
import { readIntoRooms, readResponse } from '../../helpers/read-response.ts';

const KIB = 1024;
const NAME = 'server.test';
const GET = 'GET / HTTP/1.1\r\nHost: server.test\r\n\r\n';
const NOBODY = () => undefined;

/** A server that does this with the first packet of each connection, and a way to connect to it. */
async function start(play: (socket: Socket) => void, { isSecure = false, allowHalfOpen = false } = {}) {
  const visit = (socket: Socket) => {
    socket.on('error', NOBODY);
    socket.once('data', () => play(socket));
  };
  const server: Server = isSecure
    ? createTlsServer(createTrustedAuthority().certify({ name: NAME }), visit)
    : createServer({ allowHalfOpen }, visit);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const target = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  return (blocks: Blocks) => {
    const connection = createConnection({
      origin: 'http://server.test',
      openEvent: isSecure ? 'secureConnect' : 'connect',
      open: (onread) =>
        isSecure
          ? connectTls({ ...target, servername: NAME, ...({ onread } as object) })
          : connectTcp({ ...target, onread }),
      blocks,
      maxHeaderBytes: 64 * KIB,
      freed: NOBODY,
      lost: NOBODY,
    });
    onTestFinished(() => {
      connection.destroy();
      return connection.closed;
    });
    return connection;
  };
}

/** Blocks that are counted, each as soon as it is taken. */
function countedBlocks(bytes: number) {
  const blocks = createBlocks(bytes);
  const counted = { ...blocks, taken: 0 };
  counted.take = () => {
    counted.taken += 1;
    return blocks.take();
  };
  return counted;
}

test('a piece stays what it is for its reader, although the connection breaks and others read on', async () => {
  const replies = [
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n${'A'.repeat(0x1000)}\r\nZZ\r\n`,
    `HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n${'B'.repeat(9000)}`,
  ];
  const open = await start((socket) => socket.write(replies.shift() ?? ''));
  const blocks = createBlocks(64 * KIB);
  const broken = open(blocks);
  const response = await broken.send(GET, NOBODY);
  const piece = response.read();
  await broken.closed;
  expect(() => response.hasEnded()).toThrow('HTTP_BAD_CHUNK');
  const next = await open(blocks).send(GET, NOBODY);
  await readResponse(next);
  expect(piece?.toString()).toBe('A'.repeat(0x1000));
});

test('records of TLS, however small, take no more memory than what is in them twice over', async () => {
  const bytes = 2000;
  const open = await start(
    (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`);
      const sendFrom = (sent: number) => {
        if (sent < bytes) socket.write('x', () => sendFrom(sent + 1));
      };
      sendFrom(0);
    },
    { isSecure: true },
  );
  const blocks = countedBlocks(64 * KIB);
  const response = await open(blocks).send(GET, NOBODY);
  let body = '';
  // Its reader takes nothing until all has come.
  for (let turns = 0; turns < 100; turns++) await setImmediate();
  for (let piece = response.read(); piece || !response.hasEnded(); piece = response.read()) {
    if (piece) body += piece.toString();
    else await response.changed();
  }
  expect(body).toBe('x'.repeat(bytes));
  expect(blocks.taken).toBeLessThanOrEqual(2);
});

test('a server that closes its side in the middle of a request is left, and the body is nobody’s any more', async () => {
  const open = await start(
    (socket) => {
      socket.pause();
      socket.end();
      onTestFinished(() => void socket.destroy());
    },
    { allowHalfOpen: true },
  );
  const connection = open(createBlocks(64 * KIB));
  const head = `PUT / HTTP/1.1\r\nHost: server.test\r\nContent-Length: ${32 * KIB * KIB}\r\n\r\n`;
  await expect(connection.send(head, NOBODY, Buffer.alloc(32 * KIB * KIB))).rejects.toThrow('HTTP_CLOSED');
  await connection.closed;
});

test.each([
  { kind: 'of a known length', isSecure: false, isFramed: true },
  { kind: 'that ends with its connection', isSecure: false, isFramed: false },
  { kind: 'over TLS', isSecure: true, isFramed: true },
])('a body $kind is read to where it belongs, but for what comes while there is no room', async (row) => {
  const { isSecure, isFramed } = row;
  const body = randomBytes(5000 * KIB);
  const length = isFramed ? `Content-Length: ${body.length}\r\n` : '';
  const connectTo = await start(
    (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${length}\r\n`);
      socket.end(body);
    },
    { isSecure },
  );
  const response = await connectTo(createBlocks(64 * KIB)).send(GET, NOBODY);
  const read = await readIntoRooms(response, 1024 * KIB);
  expect(read.body.equals(body)).toBe(true);
  // Of each room the first block or three, which come while there is none.
  if (!isSecure) expect(read.copied).toBeLessThan(body.length / 2);
});

test('the next response is not read to where the last one was', async () => {
  const bodies = [randomBytes(300 * KIB), randomBytes(200 * KIB)];
  const connectTo = await start((socket) => {
    const answer = () => {
      const body = bodies.shift() ?? Buffer.alloc(0);
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`);
      socket.write(body);
    };
    answer();
    socket.on('data', answer);
  });
  const [first, second] = [...bodies];
  const connection = connectTo(createBlocks(64 * KIB));
  const { body } = await readIntoRooms(await connection.send(GET, NOBODY), 512 * KIB);
  const next = await readResponse(await connection.send(GET, NOBODY));
  expect([body.equals(first ?? body.fill(0)), next.equals(second ?? body)]).toEqual([true, true]);
});

test.each([true, false])(
  'what comes after a response was destroyed is written nowhere (over TLS: %s)',
  async (isSecure) => {
    const served = Promise.withResolvers<Socket>();
    const connectTo = await start(
      (socket) => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${500 * KIB}\r\n\r\n`);
        served.resolve(socket);
      },
      { isSecure },
    );
    const connection = connectTo(createBlocks(64 * KIB));
    const response = await connection.send(GET, NOBODY);
    const socket = await served.promise;
    const room = Buffer.alloc(500 * KIB);
    response.readInto((from) => room.subarray(from));
    // The second piece is read to the room, if any is. Then many records come at once, of which the first ends the reader.
    for (const [bytes, more] of [
      [1000, 10],
      [10, 200 * KIB],
      [1, 0],
    ] as const) {
      if (bytes === 1000) socket.write(Buffer.alloc(1000, 1));
      for (let left: number = bytes; left > 0;) {
        const piece = response.read();
        if (piece) left -= piece.length;
        else await response.changed();
      }
      if (more > 0) socket.write(Buffer.alloc(more, 2));
    }
    response.destroy();
    room.fill(9);
    await connection.closed;
    expect(room.every((byte) => byte === 9)).toBe(true);
  },
);
