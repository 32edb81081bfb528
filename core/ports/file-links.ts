import type { ObjectStore } from './object-store.ts';

/** How long a link to a file is good at least. */
export const LINK_SECONDS = 15 * 60;

/** Hands out links to stored files. */
export interface FileLinks {
  /**
   * A URL, or a path on the service itself, from which whoever has it can GET the object for `LINK_SECONDS`, as an
   * attachment called by the last part of its key. Says nothing about whether there is such an object.
   */
  link(key: string): Promise<string>;
}

/** The store of downloaded files, as far as readers need it. */
export type ReadableFiles = FileLinks & Pick<ObjectStore, 'head'>;

/** The Content-Disposition (RFC 6266) that makes a browser save a file instead of showing it. */
export function attachment(key: string): string {
  const name = key.slice(key.lastIndexOf('/') + 1);
  // RFC 8187: what `encodeURIComponent` leaves alone beyond its attr-char.
  const encoded = encodeURIComponent(name).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  return `attachment; filename*=UTF-8''${encoded}`;
}
