import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { createBlocks } from '../core/http1/blocks.ts';
import { createConnection } from '../core/http1/connection.ts';
import { readResponse } from '../test/helpers/read-response.ts';

/**
 * What HTTP clients do with sources that break the rules: our own, and those that Node brings, `node:http`, and `fetch`,
 * which is undici. Run it for the table of docs/http-client.md; a test compares the two.
 */

/** Where nothing more comes, a client that still waits after so many milliseconds has no limit of its own in time. */
const PATIENCE_MS = 1000;

const OK = 'HTTP/1.1 200 OK\r\n';
const say = (text: string) => (socket: Socket) => void socket.write(text);
const sayAndClose = (text: string) => (socket: Socket) => void socket.end(text);
const sayAndReset = (text: string) => (socket: Socket) =>
  void socket.write(text, () => setImmediate(() => socket.resetAndDestroy()));

interface Fault {
  name: string;
  /** What the client should make of it. */
  right: Observed;
  play: (socket: Socket) => void;
}

type Observed = 'whole' | 'error' | 'hangs';

const ROWS: readonly (readonly [name: string, right: Observed, play: Fault['play']])[] = [
  ['body ended by close', 'whole', sayAndClose(`${OK}\r\nhello`)],
  ['body ended by reset', 'error', sayAndReset(`${OK}\r\nhello`)],
  ['HTTP/1.0, ended by reset', 'error', sayAndReset('HTTP/1.0 200 OK\r\n\r\nhello')],
  ['100 unasked', 'whole', say(`HTTP/1.1 100 Continue\r\n\r\n${OK}Content-Length: 5\r\n\r\nhello`)],
  ['103 unasked', 'whole', say(`HTTP/1.1 103 Early Hints\r\n\r\n${OK}Content-Length: 5\r\n\r\nhello`)],
  ['Content-Length too long', 'error', sayAndClose(`${OK}Content-Length: 9\r\n\r\nhello`)],
  ['Content-Length too short', 'whole', say(`${OK}Content-Length: 5\r\n\r\nhello world`)],
  ['Content-Length twice', 'error', say(`${OK}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`)],
  ['Content-Length and chunked', 'error', say(`${OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`)],
  ['chunked without its end', 'error', sayAndClose(`${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`)],
  ['bad chunk size', 'error', say(`${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n`)],
  ['gzip that is none', 'whole', say(`${OK}Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello`)],
  ['headers that do not end', 'hangs', say(`${OK}X: 1\r\n`)],
  ['body that stops', 'hangs', say(`${OK}Content-Length: 9\r\n\r\nhello`)],
];

/** Of the last two nobody can know better: there the caller's own time limits are needed. */
const FAULTS: readonly Fault[] = ROWS.map(([name, right, play]) => ({ name, right, play }));

type Client = (url: string, signal: AbortSignal) => Promise<string>;

const blocks = createBlocks(64 * 1024);

const CLIENTS: Readonly<Record<'Downburst' | 'node:http' | 'fetch', Client>> = {
  Downburst: async (url, signal) => {
    const { hostname: host, port, host: authority, origin } = new URL(url);
    const connection = createConnection({
      origin,
      open: (onread) => connect({ host, port: Number(port), onread }),
      openEvent: 'connect',
      blocks,
      maxHeaderBytes: 64 * 1024,
      freed: () => connection.destroy(),
      lost: () => undefined,
    });
    signal.addEventListener('abort', connection.destroy);
    const response = await connection.send(`GET / HTTP/1.1\r\nHost: ${authority}\r\n\r\n`, () => undefined);
    return String(await readResponse(response));
  },
  'node:http': async (url, signal) => {
    const request = get(url, { signal, agent: false });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    // A reset after the last byte comes here, and nowhere else.
    let broken: unknown;
    request.on('error', (error) => (broken ??= error));
    let text = '';
    for await (const piece of response) text += String(piece);
    if (broken !== undefined || !response.complete) throw new Error('broken');
    return text;
  },
  fetch: async (url, signal) => (await fetch(url, { signal })).text(),
};

/** What a client makes of a fault: the whole body, an error, or nothing while one waits. */
async function observe(client: Client, { right, play }: Fault): Promise<Observed> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    socket.once('data', () => play(socket));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  // Elsewhere all ends by itself, however slow the machine is.
  const signal = right === 'hangs' ? AbortSignal.timeout(PATIENCE_MS) : new AbortController().signal;
  try {
    const text = await client(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, signal);
    return text === 'hello' ? 'whole' : 'error';
  } catch {
    return signal.aborted ? 'hangs' : 'error';
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

/** The table, line by line. */
export async function* compare(): AsyncGenerator<string> {
  yield `| fault | should be | ${Object.keys(CLIENTS).join(' | ')} |`;
  for (const fault of FAULTS) {
    const seen: string[] = [];
    for (const client of Object.values(CLIENTS)) seen.push(await observe(client, fault));
    yield `| ${[fault.name, fault.right, ...seen].join(' | ')} |`;
  }
}

if (import.meta.main) for await (const line of compare()) console.log(line);
