import type { Context, MiddlewareHandler } from 'hono';
import { decodeList, isGzip } from '../core/lists/decode.ts';
import { InvalidListError } from '../core/model/errors.ts';
import { MAX_INLINE_LIST_BYTES } from '../core/model/limits.ts';
import { formatOfType, LIST_TYPES, type ListFormat } from '../core/model/list-format.ts';
import { Problem } from './problem.ts';

const MIB = 1024 ** 2;

/**
 * Refuses a body larger than a list may be, whether it says its length or not. By hand, since hono's own limit makes a
 * new Request of one without a length, which the Node server's cannot be made of.
 */
export const limitBody: MiddlewareHandler = async (c, next) => {
  if (Number(c.req.header('content-length') ?? 0) > MAX_INLINE_LIST_BYTES) throw tooLarge();
  if (c.req.header('content-length') === undefined) {
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    for await (const piece of (c.req.raw.body ?? []) as AsyncIterable<Uint8Array>) {
      bytes += piece.length;
      if (bytes > MAX_INLINE_LIST_BYTES) throw tooLarge();
      pieces.push(piece);
    }
    c.req.bodyCache.arrayBuffer = new Uint8Array(Buffer.concat(pieces)).buffer;
  }
  await next();
};

function tooLarge(): Problem {
  return new Problem('body-too-large', `A body may have ${MAX_INLINE_LIST_BYTES / MIB} MiB; POST /lists takes more.`);
}

/**
 * The format of the list that a body claims to be. A body in gzip is taken, and known by its first bytes.
 *
 * Errors: `Problem` for what is not accepted.
 */
export function bodyFormat(headers: Headers): ListFormat {
  const encoding = headers.get('content-encoding')?.trim().toLowerCase() ?? '';
  if (!['', 'identity', 'gzip', 'x-gzip'].includes(encoding)) {
    throw new Problem('unsupported-encoding', 'Send the body in gzip or without Content-Encoding.');
  }
  const [type = '', ...parameters] = (headers.get('content-type') ?? '').split(';').map((part) => part.trim());
  const charset = parameters.find((parameter) => /^charset=/i.test(parameter))?.slice('charset='.length);
  const format = formatOfType(type);
  if (format === undefined) {
    throw new Problem('unsupported-media-type', `Send Content-Type: ${LIST_TYPES.join(' or ')}.`);
  }
  if (charset !== undefined && !/^"?utf-?8"?$/i.test(charset)) {
    throw new Problem('unsupported-media-type', 'Send the body in UTF-8.');
  }
  return format;
}

/** A body's bytes. Errors: `Problem` for a body that is said to be gzip and is none. */
export async function* readBody(c: Context): AsyncGenerator<Buffer> {
  const body = Buffer.from(await c.req.arrayBuffer());
  if (c.req.header('content-encoding')?.includes('gzip') === true && !isGzip(body)) {
    throw new Problem('unsupported-encoding', 'Content-Encoding says gzip, and the body is none.');
  }
  yield body;
}

/**
 * A body as JSON, unpacked if it is packed.
 *
 * Errors: `Problem`, which says where it goes wrong if the parser does, and repeats nothing of it; `InvalidListError` for
 * what cannot be unpacked or is not UTF-8.
 */
export async function readJson(c: Context): Promise<unknown> {
  const pieces = await Array.fromAsync(decodeList(readBody(c), MAX_INLINE_LIST_BYTES));
  try {
    return JSON.parse(String(Buffer.concat(pieces)));
  } catch (error) {
    const position = /at position \d+( \(line \d+ column \d+\))?/.exec(String(error))?.[0];
    throw new Problem('invalid-json', `The body ends being JSON ${position ?? 'somewhere'}.`, { cause: error });
  }
}

/** A body that is JSON and no list. Errors: `Problem`. */
export async function readPlainJson(c: Context): Promise<unknown> {
  if (bodyFormat(c.req.raw.headers) !== 'json') {
    throw new Problem('unsupported-media-type', 'Send Content-Type: application/json.');
  }
  try {
    return await readJson(c);
  } catch (error) {
    if (!(error instanceof InvalidListError)) throw error;
    throw new Problem('invalid-json', `The body ${error.problems[0]?.reason ?? 'cannot be read'}.`, { cause: error });
  }
}
