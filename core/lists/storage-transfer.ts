import { unreadable, type ListBlock, type ListItem } from './item.ts';
import { readLines, type Line } from './lines.ts';

/** The first line of a list of URLs as storage transfer services of Google and others take it. */
export const STORAGE_TRANSFER_HEADER = 'TsvHttpData-1.0';

/**
 * Reads a `TsvHttpData-1.0` list: after its first line a URL a line, and behind tabs, if given, the file's size in bytes
 * and its MD5 in base64 (https://cloud.google.com/storage-transfer/docs/create-url-list). Blank lines are passed over.
 */
export async function* readStorageTransfer(pieces: AsyncIterable<Buffer>): AsyncGenerator<ListBlock> {
  for await (const lines of readLines(pieces)) yield itemsOf(lines);
}

function* itemsOf(lines: Iterable<Line>): Generator<ListItem> {
  for (const { line, text } of lines) {
    if (line === 1) {
      if (text.trim() !== STORAGE_TRANSFER_HEADER) {
        throw unreadable(1, 1, `is not ${STORAGE_TRANSFER_HEADER}, which such a list begins with`);
      }
    } else if (text.trim() !== '') {
      yield readRow(line, text.split('\t'));
    }
  }
}

function readRow(line: number, [url = '', size = '', md5 = '', ...more]: string[]): ListItem {
  if (more.length > 0) return bad(line, '', 'has more than URL, size and MD5');
  const digest = md5 === '' ? undefined : hexOf(md5.trim());
  if (digest === '') return bad(line, 'md5', 'is not an MD5 in base64');
  const value = { url: url.trim(), size: size.trim() === '' ? undefined : numberOf(size.trim()), md5: digest };
  return { line, value };
}

function bad(line: number, field: string, reason: string): ListItem {
  return { line, value: undefined, problem: { field, value: '', reason } };
}

/** Base64 of 16 bytes as hex digits; empty for anything else. */
function hexOf(base64: string): string {
  return /^[A-Za-z0-9+/]{22}==$/.test(base64) ? Buffer.from(base64, 'base64').toString('hex') : '';
}

/** Digits as a number; whatever else it is, who checks the entry says that it is none. */
export function numberOf(text: string): number | string {
  return /^\d{1,16}$/.test(text) ? Number(text) : text;
}
