import type { ListBlock, ListItem } from './item.ts';
import { readLines, type Line } from './lines.ts';

/** Reads a list of one URL a line. Blank lines and lines that begin with `#` are passed over. */
export async function* readText(pieces: AsyncIterable<Buffer>): AsyncGenerator<ListBlock> {
  for await (const lines of readLines(pieces)) yield itemsOf(lines);
}

function* itemsOf(lines: Iterable<Line>): Generator<ListItem> {
  for (const { line, text } of lines) {
    const value = text.trim();
    if (value !== '' && !value.startsWith('#')) yield { line, value };
  }
}
