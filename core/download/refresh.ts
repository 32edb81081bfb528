import { hash } from 'node:crypto';
import type { Entry } from '../model/entry.ts';
import type { BatchOptions } from '../model/options.ts';
import type { ObjectInfo } from '../ports/object-store.ts';
import { isWantedType } from './content-type.ts';
import { METADATA } from './object-headers.ts';

/** What to ask a source with, so that it sends no body for what is in the store already. */
export interface Conditions {
  /** The only resource that the validators say anything of. */
  resource: string;
  headers: Readonly<Record<string, string>>;
}

/**
 * Names a resource. Validators of one say nothing of another, be it a redirect's next target or the same path with
 * another query. A digest, since a query may hold a signature.
 */
export function resourceOf({ origin, pathname, search }: Pick<URL, 'origin' | 'pathname' | 'search'>): string {
  return hash('sha256', origin + pathname + search).slice(0, 16);
}

/**
 * How to ask for a file only if it is another one than the stored one; `undefined` if the stored one cannot be known to
 * be what the user wants. An ETag goes first, a weak one too: If-None-Match compares weakly (RFC 9110, section 13.1.2).
 */
export function conditionsFor(
  { bytes, contentType, metadata = {} }: ObjectInfo,
  entry: Pick<Entry, 'size' | 'md5' | 'sha256'>,
  { contentTypes }: Pick<BatchOptions, 'contentTypes'>,
): Conditions | undefined {
  const { size, md5, sha256 } = entry;
  if (md5 !== undefined || (size !== undefined && size !== bytes)) return undefined;
  if (sha256 !== undefined && sha256 !== metadata[METADATA.sha256]) return undefined;
  if (!isWantedType(contentType, contentTypes)) return undefined;
  const { [METADATA.resource]: resource, [METADATA.etag]: etag, [METADATA.lastModified]: lastModified } = metadata;
  if (resource === undefined) return undefined;
  if (etag !== undefined) return { resource, headers: { 'If-None-Match': etag } };
  return lastModified === undefined ? undefined : { resource, headers: { 'If-Modified-Since': lastModified } };
}

/** Whether the stored object is known to hold these very bytes, in the same encoding. */
export function holds(
  { metadata, contentEncoding }: ObjectInfo,
  sha256: string | undefined,
  encoding: string | undefined,
): boolean {
  return sha256 !== undefined && metadata?.[METADATA.sha256] === sha256 && contentEncoding === encoding;
}
