import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Answer } from './origin.ts';

/** One version of a file, with a strong validator. */
export interface Version {
  body: Buffer;
  etag: string;
}

/** A version of `bytes` bytes, each letter at its own place, so that no shift goes unseen. */
export function version(name: string, bytes: number): Version {
  const body = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at += 1) body[at] = createHash('md5').update(`${name} ${at}`).digest()[0] ?? 0;
  return { body, etag: `"${name}"` };
}

/** What a request asks for, if it asks for a range: from a byte up to, not including, another, or to the end. */
export function rangeOf({ range: value }: IncomingHttpHeaders): { from: number; to: number } | undefined {
  const [, from, last] = /^bytes=(\d+)-(\d*)$/.exec(value ?? '') ?? [];
  if (from === undefined) return undefined;
  return { from: Number(from), to: last === undefined || last === '' ? Infinity : Number(last) + 1 };
}

/** Where a request wants to begin, if it asks for a range. */
export function rangeStart(headers: IncomingHttpHeaders): number | undefined {
  return rangeOf(headers)?.from;
}

/**
 * Serves a version as RFC 9110 has it: a range of it to who names it in If-Range, else the whole. `cut` ends the
 * connection when that many bytes of the file have been served.
 */
export function serve({ body, etag }: Version, cut = Infinity): Answer {
  return (visit) => {
    const range = rangeOf(visit.request.headers);
    const isPart = range !== undefined && visit.request.headers['if-range'] === etag;
    const from = isPart ? range.from : 0;
    const to = isPart ? Math.min(range.to, body.length) : body.length;
    if (from >= body.length) {
      visit.response.writeHead(416, { 'content-range': `bytes */${body.length}` }).end();
      return;
    }
    const headers = { etag, 'accept-ranges': 'bytes', 'content-type': 'a/b', 'content-length': to - from };
    if (from > 0 || to < body.length) {
      visit.response.writeHead(206, { ...headers, 'content-range': `bytes ${from}-${to - 1}/${body.length}` });
    } else visit.response.writeHead(200, headers);
    if (cut >= to) visit.response.end(body.subarray(from, to));
    else if (cut <= from) visit.response.write('', () => visit.socket.resetAndDestroy());
    else visit.response.write(body.subarray(from, cut), () => visit.socket.end());
  };
}
