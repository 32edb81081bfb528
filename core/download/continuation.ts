import { headOf, type PartialFile } from '../model/partial-file.ts';
import type { Answer } from './exchange.ts';
import { resourceOf } from './refresh.ts';

/** Longer validators are nonsense; the waiting list has to hold them. */
const MAX_ETAG_LENGTH = 256;

/** What a later attempt must know of a response to go on with its body; `undefined` if nobody can. */
export type Version = Pick<PartialFile, 'etag' | 'source' | 'length' | 'contentEncoding'>;

/** Bytes of a file, from `from` up to, not including, `to`, or to the file's end. */
export interface ByteRange {
  from: number;
  to?: number | undefined;
}

/**
 * The version of a file that a whole response is of, if its source can be asked for the rest of it later. Only a strong
 * ETag tells versions apart (RFC 9110, section 8.8.1). Last-Modified does not: it counts in seconds, so that two versions
 * of one second share it, and is strong only for who trusts the source's clock (section 8.8.2.2).
 */
export function versionOf({ response, status, url }: Answer): Version | undefined {
  const { etag, 'accept-ranges': acceptRanges } = response.headers;
  // 203: a proxy has changed the body on the way, and need not change it in the same way again.
  if (status !== 200 || !isStrong(etag) || acceptRanges?.trim().toLowerCase() === 'none') return undefined;
  const contentEncoding = response.headers['content-encoding'];
  return { etag, source: sourceOf(url), length: response.length, contentEncoding };
}

/**
 * Names where a file comes from: the URL that answered, without its query. What one entry's URL redirects to has another
 * signature in it each time. A strong validator, which the source itself compares by If-Range, and the length tell whether
 * it is the same file; a query tells nothing of that.
 */
function sourceOf({ origin, pathname }: URL): string {
  return resourceOf({ origin, pathname, search: '' });
}

/** Whether a source says, or has just shown, that it gives ranges: nothing is asked to find out. */
export function givesRanges({ response, status }: Answer): boolean {
  return status === 206 || /(^|,)\s*bytes\s*(,|$)/i.test(response.headers['accept-ranges'] ?? '');
}

/** What follows a file's beginning, up to where the next of its parts is there. */
export function gapOf({ parts, partBytes }: PartialFile): ByteRange {
  const head = headOf(parts);
  const next = parts[head.length];
  return { from: head.length * partBytes, to: next && (next.number - 1) * partBytes };
}

/** The headers that ask for a range, or for the whole of another version (RFC 9110, section 13.1.5). */
export function rangeHeaders({ etag }: Pick<Version, 'etag'>, { from, to }: ByteRange): Record<string, string> {
  return { Range: `bytes=${from}-${to === undefined ? '' : to - 1}`, 'If-Range': etag };
}

/**
 * The whole file's length, if a 206 gives just the range that was asked for, of the same version; `undefined` if
 * anything about it says otherwise (RFC 9110, sections 14.4 and 15.3.7).
 */
export function rangedLength(
  { response, status, url }: Answer,
  version: Version,
  { from, to }: ByteRange,
): number | undefined {
  const { headers } = response;
  if (status !== 206 || headers.etag !== version.etag || sourceOf(url) !== version.source) return undefined;
  // A 206 to If-Range need not repeat what its 200 said; what it does say must be the same.
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== version.contentEncoding) return undefined;
  if (/^\s*multipart\/byteranges/i.test(headers['content-type'] ?? '')) return undefined;

  const range = /^bytes (\d+)-(\d+)\/(\d+)$/i.exec(headers['content-range']?.trim() ?? '');
  const [first, last, total] = (range ?? []).slice(1).map(Number);
  if (first === undefined || last === undefined || total === undefined) return undefined;
  const declared = response.length;
  const fits =
    first === from &&
    last === (to ?? total) - 1 &&
    first <= last &&
    last < total &&
    (version.length === undefined || total === version.length) &&
    (declared === undefined || declared === last + 1 - first);
  return fits && Number.isSafeInteger(total) ? total : undefined;
}

/** `"…"`, not empty; weak ones begin with `W/`. */
function isStrong(etag: string | undefined): etag is string {
  return etag !== undefined && etag.length <= MAX_ETAG_LENGTH && /^"[\x21\x23-\x7e]+"$/.test(etag);
}
