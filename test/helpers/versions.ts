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

/** Where a request wants to begin, if it asks for a range. */
export function rangeStart({ range: value }: IncomingHttpHeaders): number | undefined {
  const range = /^bytes=(\d+)-$/.exec(value ?? '')?.[1];
  return range === undefined ? undefined : Number(range);
}

/**
 * Serves a version as RFC 9110 has it: the rest of it to who names it in If-Range, else the whole. `cut` ends the
 * connection when that many bytes of the file have been served.
 */
export function serve({ body, etag }: Version, cut = Infinity): Answer {
  return (visit) => {
    const start = rangeStart(visit.request.headers);
    const from = start !== undefined && visit.request.headers['if-range'] === etag ? start : 0;
    if (from >= body.length) {
      visit.response.writeHead(416, { 'content-range': `bytes */${body.length}` }).end();
      return;
    }
    const headers = { etag, 'content-type': 'a/b', 'content-length': body.length - from };
    if (from > 0) {
      const range = { ...headers, 'content-range': `bytes ${from}-${body.length - 1}/${body.length}` };
      visit.response.writeHead(206, range);
    } else visit.response.writeHead(200, headers);
    if (cut >= body.length) visit.response.end(body.subarray(from));
    else if (cut <= from) visit.response.write('', () => visit.socket.resetAndDestroy());
    else visit.response.write(body.subarray(from, cut), () => visit.socket.end());
  };
}
