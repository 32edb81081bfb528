import type { ListBlock, ListItem } from './item.ts';
import { readLines, type Line } from './lines.ts';

/** Reads a list of one JSON value a line: a URL, or an object that holds one. Blank lines are passed over. */
export async function* readNdjson(pieces: AsyncIterable<Buffer>): AsyncGenerator<ListBlock> {
  for await (const lines of readLines(pieces)) yield itemsOf(lines);
}

function* itemsOf(lines: Iterable<Line>): Generator<ListItem> {
  for (const { line, text } of lines) {
    if (text.trim() !== '') yield parseLine(line, text);
  }
}

function parseLine(line: number, text: string): ListItem {
  try {
    return { line, value: JSON.parse(text) as unknown };
  } catch (error) {
    const position = /at position (\d+)/.exec(String(error))?.[1];
    const column = position === undefined ? text.length + 1 : Number(position) + 1;
    return { line, value: undefined, problem: { column, field: '', value: '', reason: 'is not JSON' } };
  }
}
