import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Answer } from './origin.ts';

export type Framing = 'length' | 'chunked' | 'close';

/** 200 with a body, whole. */
export function file(body: Buffer | string, headers: OutgoingHttpHeaders = {}, framing: Framing = 'length'): Answer {
  const bytes = Buffer.from(body);
  return ({ response }) => {
    head(response, framing, bytes.length, headers);
    response.end(bytes);
  };
}

/** A status with headers and a short text. */
export function status(code: number, headers: OutgoingHttpHeaders = {}): Answer {
  return ({ response }) => void response.writeHead(code, headers).end(`status ${code}\n`);
}

export function redirect(location: string, code = 302): Answer {
  return status(code, { location });
}

/** Begins a body and stops for good; the connection stays open. `declared` bytes are announced. */
export function stall(body: Buffer | string, declared: number | Exclude<Framing, 'length'>): Answer {
  return begin(body, declared);
}

/** Begins a body and closes the connection in good order, before the end if `declared` is more. */
export function cutOff(body: Buffer | string, declared: number | Exclude<Framing, 'length'>): Answer {
  return begin(body, declared, (socket) => void socket.end());
}

/** Begins a body and resets the connection. */
export function reset(body: Buffer | string, declared: number | Exclude<Framing, 'length'>): Answer {
  return begin(body, declared, (socket) => void socket.resetAndDestroy());
}

/** These very bytes instead of an HTTP response; the connection stays open unless `close`. */
export function raw(bytes: Buffer | string, { close = false } = {}): Answer {
  return ({ socket }) => {
    socket.write(bytes);
    if (close) socket.end();
  };
}

/** Resets the connection without an answer. */
export const hangUp: Answer = ({ socket }) => void socket.resetAndDestroy();

/** No answer at all. */
export const silence: Answer = () => undefined;

/** A body of zeros, as long as its reader takes it, of at most `bytes`. */
export function zeros(bytes: number, framing: Framing = 'length'): Answer {
  const block = Buffer.alloc(64 * 1024);
  return async ({ response, socket }) => {
    const gone = new Promise((resolve) => socket.once('close', resolve));
    head(response, framing, bytes);
    for (let left = bytes; left > 0 && !socket.destroyed; left -= block.length) {
      const room = response.write(left < block.length ? block.subarray(0, left) : block);
      if (!room) await Promise.race([once(response, 'drain'), gone]);
    }
    response.end();
  };
}

/** The first request gets the first answer and so on; the last answer stays. */
export function inTurn(...answers: [Answer, ...Answer[]]): Answer {
  return (visit) => answers[Math.min(visit.earlier, answers.length - 1)]?.(visit);
}

/** The same answer to `count` requests, for `inTurn`. */
export function times(count: number, answer: Answer): [Answer, ...Answer[]] {
  return [answer, ...Array.from({ length: count - 1 }, () => answer)];
}

/** One after the other, to the same request. */
export function inOrder(...answers: Answer[]): Answer {
  return async (visit) => {
    for (const answer of answers) await answer(visit);
  };
}

/** One of these faults, drawn for each request, until `most` were played; then the whole. The same at every run of a seed. */
export function atRandom(seed: number, faults: readonly Answer[], most: number, whole: Answer): Answer {
  return (visit) => {
    const draw = createHash('sha256').update(`${seed} ${visit.earlier}`).digest().readUInt32BE();
    return (visit.earlier < most ? (faults[draw % faults.length] ?? whole) : whole)(visit);
  };
}

/** These very bytes instead of an HTTP response, `bytes` of them at a time with a pause of `everyMs` after each. */
export function drip(text: Buffer | string, bytes: number, everyMs: number): Answer {
  const rest = Buffer.from(text);
  return async ({ socket, pause }) => {
    for (let at = 0; at < rest.length; at += bytes) {
      socket.write(rest.subarray(at, at + bytes));
      await pause(everyMs);
    }
  };
}

/** The same bytes again and again, without end, with a pause of `everyMs` after each. */
export function flood(text: Buffer | string, everyMs: number): Answer {
  return async ({ socket, pause }) => {
    for (;;) {
      socket.write(text);
      await pause(everyMs);
    }
  };
}

function begin(
  body: Buffer | string,
  declared: number | Exclude<Framing, 'length'>,
  end?: (socket: Socket) => void,
): Answer {
  return ({ response, socket }) => {
    if (typeof declared === 'number') head(response, 'length', declared);
    else head(response, declared, 0);
    response.write(body, () => end?.(socket));
  };
}

function head(response: ServerResponse, framing: Framing, bytes: number, headers: OutgoingHttpHeaders = {}): void {
  if (framing === 'close') response.useChunkedEncodingByDefault = false; // what is left is the end of the connection
  response.writeHead(200, framing === 'length' ? { ...headers, 'content-length': bytes } : headers);
}
