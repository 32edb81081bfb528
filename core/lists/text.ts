import type { ListItem } from './item.ts';
import { readLines } from './lines.ts';

/** Reads a list of one URL a line. Blank lines and lines that begin with `#` are passed over. */
export async function* readText(pieces: AsyncIterable<Buffer>): AsyncGenerator<ListItem> {
  for await (const { line, text } of readLines(pieces)) {
    const value = text.trim();
    if (value !== '' && !value.startsWith('#')) yield { line, value };
  }
}
