import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { MAX_INLINE_LIST_BYTES } from '../core/model/limits.ts';
import { Problem } from './problem.ts';

const MIB = 1024 ** 2;

/** Refuses a body larger than a list may be. */
export const limitBody: MiddlewareHandler = bodyLimit({
  maxSize: MAX_INLINE_LIST_BYTES,
  onError: () => {
    throw new Problem('body-too-large', `A body may have ${MAX_INLINE_LIST_BYTES / MIB} MiB; split the list.`);
  },
});

const MEDIA_TYPES = ['application/json', 'text/plain'] as const;

export type MediaType = (typeof MEDIA_TYPES)[number];

/** What a body claims to be. Errors: `Problem` for what is not accepted. */
export function mediaType(headers: Headers): MediaType {
  const encoding = headers.get('content-encoding')?.trim().toLowerCase() ?? '';
  if (encoding !== '' && encoding !== 'identity') {
    throw new Problem('unsupported-encoding', 'Send the body without Content-Encoding.');
  }
  const [type = '', ...parameters] = (headers.get('content-type') ?? '').split(';').map((part) => part.trim());
  const charset = parameters.find((parameter) => /^charset=/i.test(parameter))?.slice('charset='.length);
  const accepted = MEDIA_TYPES.find((known) => known === type.toLowerCase());
  if (accepted === undefined) {
    throw new Problem('unsupported-media-type', `Send Content-Type: ${MEDIA_TYPES.join(' or ')}.`);
  }
  if (charset !== undefined && !/^"?utf-?8"?$/i.test(charset)) {
    throw new Problem('unsupported-media-type', 'Send the body in UTF-8.');
  }
  return accepted;
}

/** A body as text, without a BOM. Errors: `Problem` if it is not UTF-8. */
export function decodeText(body: ArrayBuffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch (error) {
    throw new Problem('invalid-text', 'The body has bytes that are not UTF-8.', { cause: error });
  }
}

/** A text as JSON. Errors: `Problem`, which says where it goes wrong if the parser does, and repeats nothing of it. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const position = /at position \d+( \(line \d+ column \d+\))?/.exec(String(error))?.[0];
    throw new Problem('invalid-json', `The body ends being JSON ${position ?? 'somewhere'}.`, { cause: error });
  }
}
