import type { OnReadOpts, Socket } from 'node:net';
import type { Blocks } from './blocks.ts';
import { framingOf, readChunked, readLength, readToClose, type BodyReader, type Framing } from './framing.ts';
import { checkBeginning, parseHead, type Head, type Headers } from './head.ts';
import { HttpError } from './http-error.ts';

/** A response whose head is there and whose body is still to come. */
export interface Response {
  readonly status: number;
  readonly headers: Headers;
  /** Bytes of the body, where its head tells. */
  readonly length: number | undefined;
  /** Whether the body's end is marked by more than the end of the connection. */
  readonly isFramed: boolean;
  /** Whether the connection can serve another request once the body is read. */
  readonly isReusable: boolean;
  /** The next bytes of the body that have come, the caller's until it asks for more; `null` if there are none. */
  read: () => Buffer | null;
  /** Whether the body was read to its proven end. Throws what broke it, once all before is read. */
  hasEnded: () => boolean;
  /** Waits until more has come, or the end, or an error. */
  changed: () => Promise<void>;
  /**
   * Has the body read straight to where `space` says that what follows its first `from` bytes has its place, which spares a copy.
   * As long as that is nowhere, and with TLS or chunks, memory of the connection is used. A place must stay what it is until it is
   * full, the body has ended or this was destroyed; behind the body it may be written to as well.
   */
  readInto: (space: (from: number) => Buffer) => void;
  /** Closes the connection unless all was read. */
  destroy: () => void;
}

/** One connection to a server, for one exchange after the other. */
export interface Connection {
  /** Where it leads, as an URL's origin. */
  readonly origin: string;
  /**
   * Sends a request, and answers when the head of its response is there. Errors: the socket's; `HttpError`.
   *
   * @param progressed called when the connection is open, and each time that more of the body was handed over
   * @param body must stay as it is until the response has come, or the connection is closed
   */
  send: (head: string, progressed: () => void, body?: Buffer) => Promise<Response>;
  destroy: () => void;
  /** Resolves once it is closed. */
  readonly closed: Promise<void>;
}

export interface ConnectionOptions {
  origin: string;
  /** Opens the socket; with TLS, `secureConnect` tells that it is open. */
  open: (onread: OnReadOpts) => Socket;
  openEvent: 'connect' | 'secureConnect';
  blocks: Blocks;
  /** Bytes of a response's head, or of its trailers. */
  maxHeaderBytes: number;
  /** Milliseconds for which it stays open between two requests; for good if left out. */
  idleMs?: number;
  /** Called when a response was read to its end and the connection can serve another request. */
  freed: (connection: Connection) => void;
  /** Called when it can serve no request any more, perhaps more than once. */
  lost: (connection: Connection) => void;
}

/** Full blocks of a body that may wait for their reader, before the source has to. */
const MAX_WAITING_BLOCKS = 2;
/** A block with less room than this is full. */
const LEAST_READ_BYTES = 32 * 1024;
/** Bytes of a request's body that are written at once: TLS has a copy of what is under way. */
const WRITE_BYTES = 256 * 1024;
const HEAD_END = Buffer.from('\r\n\r\n');
const CR = 13;
const LF = 10;

/** A request that is under way, until its response was read. */
interface Exchange {
  resolve: (response: Response) => void;
  reject: (reason: unknown) => void;
  /** The part of the head that has come. */
  head: Buffer | undefined;
  /** From the head's end on. */
  body: BodyReader | undefined;
  /** Pieces of the body that its reader has not asked for. */
  pieces: Buffer[];
  /** Bytes of the body that have come. */
  received: number;
  space: ((from: number) => Buffer) | undefined;
  /** Whether all of the request was handed over. */
  isSent: boolean;
  /** Whether the connection can serve another request afterwards. */
  isKept: boolean;
  error: unknown;
  wake: (() => void) | undefined;
}

/** Opens a connection. */
export function createConnection(options: ConnectionOptions): Connection {
  const { origin, blocks, maxHeaderBytes, openEvent } = options;
  let exchange: Exchange | undefined;
  let isOpen = false;
  /** What is read into, if it is the reader's. */
  let space: Buffer | undefined;
  /** What is read into otherwise, from `readAt` on. Before that lies what was read. */
  let block = blocks.take();
  let readAt = 0;
  let readTo = 0;
  /** Whether there are pieces of it that are not read, or that their reader still has. */
  let isInUse = false;
  /** Blocks before this one that are in use. */
  const waiting: Buffer[] = [];
  let broken: unknown;

  const socket = options.open({ buffer: nextBuffer, callback: onRead });
  socket.once(openEvent, () => {
    isOpen = true;
  });
  socket.on('error', (error) => {
    broken ??= error;
  });
  socket.on('end', onEnd);
  socket.on('timeout', () => {
    if (!exchange) socket.destroy();
  });
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      options.lost(connection);
      fail(broken ?? new HttpError('HTTP_CLOSED'));
      // What is in use stays with its readers, for good.
      if (!isInUse) blocks.giveBack(block);
      resolve();
    });
  });

  function send(head: string, progressed: () => void, body?: Buffer): Promise<Response> {
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    const empty = { head: undefined, body: undefined, space: undefined, error: undefined, wake: undefined };
    exchange = { resolve, reject, pieces: [], received: 0, isSent: body === undefined, isKept: true, ...empty };
    if (socket.destroyed) fail(broken ?? new HttpError('HTTP_CLOSED'));
    else {
      if (isOpen) progressed();
      else socket.once(openEvent, progressed);
      // In one packet with the beginning of the body.
      if (body) socket.cork();
      socket.write(head, 'latin1');
      if (body) writeBody(exchange, body, progressed);
      if (body) socket.uncork();
    }
    return promise;
  }

  function writeBody(own: Exchange, rest: Buffer, progressed: () => void): void {
    socket.write(rest.subarray(0, WRITE_BYTES), (error) => {
      if (error) return; // the connection's end tells of it
      progressed();
      if (rest.length > WRITE_BYTES) writeBody(own, rest.subarray(WRITE_BYTES), progressed);
      else own.isSent = true;
    });
  }

  /** Asked for after each read. With TLS reads are as small as its records. */
  function nextBuffer(): Buffer {
    space = spaceOf(exchange);
    if (space) return space;
    if (!isInUse) readAt = 0;
    else if (block.length - readTo >= LEAST_READ_BYTES) readAt = readTo;
    else {
      waiting.push(block);
      block = blocks.take();
      isInUse = false;
      readAt = 0;
    }
    return block.subarray(readAt);
  }

  function spaceOf(own: Exchange | undefined): Buffer | undefined {
    if (own?.body?.isWhole !== false) return undefined;
    const found = own.space?.(own.received);
    return found && found.length > 0 ? found : undefined;
  }

  /** Returns `true`, or Node would stop reading in a way of its own. */
  function onRead(bytes: number): true {
    if (!space) readTo = readAt + bytes;
    // What nobody asked for must not be taken for the next answer.
    if (!exchange || exchange.body?.isWhole === true) socket.destroy();
    // TLS gives what it has decrypted all the same.
    if (!exchange || socket.destroyed) return true;
    try {
      take(exchange, space ? space.subarray(0, bytes) : block.subarray(readAt, readTo));
    } catch (error) {
      fail(error);
      socket.destroy();
    }
    if (!space && exchange.pieces.length > 0) isInUse = true;
    exchange.wake?.();
    if (waiting.length >= MAX_WAITING_BLOCKS) socket.pause();
    return true;
  }

  function take(own: Exchange, bytes: Buffer): void {
    if (own.body) {
      if (own.body.read(bytes, 0) < bytes.length) own.isKept = false;
      return;
    }
    const data = own.head ? Buffer.concat([own.head, bytes]) : bytes;
    for (let at = 0; ;) {
      // Some servers end a body with an empty line too many (RFC 9112, section 2.2).
      while (data[at] === CR || data[at] === LF) at += 1;
      const end = data.indexOf(HEAD_END, at);
      const to = end < 0 ? data.length : end;
      if (to - at > maxHeaderBytes) throw new HttpError('HTTP_HEADERS_TOO_LARGE');
      const text = data.toString('latin1', at, to);
      if (end < 0) {
        checkBeginning(text);
        own.head = Buffer.from(data.subarray(at));
        return;
      }
      at = to + HEAD_END.length;
      const head = parseHead(text);
      // Interim answers may come unasked (RFC 9110, section 15.2). What 101 leads to is no HTTP.
      if (head.status < 200 && head.status !== 101) continue;
      begin(own, head, data, at);
      return;
    }
  }

  /** The head is there, and what follows in `data`. */
  function begin(own: Exchange, head: Head, data: Buffer, from: number): void {
    const framing = framingOf(head);
    const emit = (piece: Buffer) => {
      own.received += piece.length;
      own.pieces.push(piece);
    };
    const body = bodyReader(framing, maxHeaderBytes, emit);
    own.body = body;
    own.isKept = framing !== 'close' && staysOpen(head);
    own.resolve({
      status: head.status,
      headers: head.headers,
      length: typeof framing === 'number' ? framing : undefined,
      isFramed: framing !== 'close',
      isReusable: own.isKept,
      read() {
        const piece = own.pieces.shift();
        if (piece) return piece;
        if (exchange === own) drained(own);
        return null;
      },
      hasEnded() {
        if (own.error !== undefined) throw own.error as Error;
        return body.isWhole;
      },
      changed: () =>
        new Promise((resolve) => {
          own.wake = resolve;
        }),
      readInto(found) {
        // Chunks do not follow each other. What TLS has decrypted it goes on to write, also after it was destroyed.
        if (framing !== 'chunked' && openEvent === 'connect') own.space = found;
      },
      destroy() {
        if (exchange === own) socket.destroy();
      },
    });
    if (body.read(data, from) < data.length) own.isKept = false;
  }

  /** The reader has had all that came, and has nothing of it any more. */
  function drained(own: Exchange): void {
    for (const read of waiting.splice(0)) blocks.giveBack(read);
    isInUse = false;
    if (socket.isPaused()) socket.resume();
    if (own.body?.isWhole !== true) return;
    exchange = undefined;
    // A server that has answered early takes what is still to come for another request.
    if (own.isKept && own.isSent && !socket.destroyed && !socket.readableEnded) {
      // Anew each time: one that runs out in the middle of an exchange does not come again.
      socket.setTimeout(options.idleMs ?? 0);
      options.freed(connection);
    } else socket.destroy();
  }

  function fail(reason: unknown): void {
    if (!exchange || exchange.body?.isWhole === true) return;
    exchange.error ??= reason;
    exchange.reject(exchange.error);
    exchange.wake?.();
  }

  /** The server has closed its side. */
  function onEnd(): void {
    options.lost(connection);
    const body = exchange?.body;
    // Had a reset ended it, there would have been an error.
    if (body?.endsByClose === true) body.isWhole = true;
    fail(new HttpError('HTTP_CLOSED'));
    // Or a body that is being sent would be held on to, for as long as the server does not read it.
    if (body?.isWhole !== true) socket.destroy();
    exchange?.wake?.();
  }

  const connection: Connection = { origin, send, destroy: () => void socket.destroy(), closed };
  return connection;
}

function bodyReader(framing: Framing, maxTrailerBytes: number, emit: (piece: Buffer) => void): BodyReader {
  if (framing === 'close') return readToClose(emit);
  return framing === 'chunked' ? readChunked(maxTrailerBytes, emit) : readLength(framing, emit);
}

const CLOSE = /(^|,)[ \t]*close[ \t]*(,|$)/i;
const KEEP_ALIVE = /(^|,)[ \t]*keep-alive[ \t]*(,|$)/i;

/** RFC 9112, section 9.3. Of an HTTP/1.0 server's Transfer-Encoding nobody knows what it means (section 6.1). */
function staysOpen({ minor, status, headers }: Head): boolean {
  const { connection = '' } = headers;
  if (status === 101 || CLOSE.test(connection)) return false;
  return minor === 1 || (KEEP_ALIVE.test(connection) && headers['transfer-encoding'] === undefined);
}
