import type { Headers } from '../http1/head.ts';
import type { ObjectHeaders } from '../ports/object-store.ts';

/** Which entry an object belongs to, and which bytes it holds, as told by its metadata. */
export const METADATA = {
  batch: 'downburst-batch',
  index: 'downburst-index',
  source: 'downburst-source',
  resource: 'downburst-resource',
  etag: 'downburst-etag',
  lastModified: 'downburst-last-modified',
  sha256: 'downburst-sha256',
} as const;

/** All metadata of an object has to fit into 2 KB; a path may be of any length. */
const MAX_SOURCE_BYTES = 1024;
/** Longer values of a source's headers are nonsense, and left out. */
const MAX_VALUE_BYTES = 256;

export interface Origin {
  batchId: string;
  index: number;
}

/** What is kept beside a file: what its source said of it, and where it comes from; `resource` is the one that answered in the end. `url` is canonical; its query may be a secret. */
export function objectHeaders(
  { batchId, index }: Origin,
  url: string,
  resource: string,
  headers: Headers,
): ObjectHeaders {
  const encoding = printable(headers['content-encoding']);
  const etag = printable(headers.etag);
  const lastModified = printable(headers['last-modified']);
  const query = url.indexOf('?');
  const source = url.slice(0, Math.min(query < 0 ? url.length : query, MAX_SOURCE_BYTES)); // ASCII: the URL parser escapes the rest
  const metadata: Record<string, string> = {
    [METADATA.batch]: batchId,
    [METADATA.index]: String(index),
    [METADATA.source]: source,
    [METADATA.resource]: resource,
  };
  if (etag !== undefined) metadata[METADATA.etag] = etag;
  if (lastModified !== undefined) metadata[METADATA.lastModified] = lastModified;
  return {
    contentType: printable(headers['content-type']),
    contentEncoding: encoding?.toLowerCase() === 'identity' ? undefined : encoding,
    metadata,
  };
}

/** Whether an object was stored for this very entry, by an earlier attempt or worker. */
export function isOwn({ metadata }: ObjectHeaders, { batchId, index }: Origin): boolean {
  return metadata?.[METADATA.batch] === batchId && metadata[METADATA.index] === String(index);
}

/** Whether an object was stored by Downburst, for whichever batch. */
export function isStoredByUs({ metadata }: ObjectHeaders): boolean {
  return metadata?.[METADATA.batch] !== undefined;
}

/** A header's value if an object store can keep it: printable ASCII, not empty, not absurdly long. */
function printable(value: string | undefined): string | undefined {
  const text = value?.trim() ?? '';
  return text.length <= MAX_VALUE_BYTES && /^[\x20-\x7e]+$/.test(text) ? text : undefined;
}
