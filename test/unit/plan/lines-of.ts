import type { EntryTable } from '../../../core/plan/entry-table.ts';
import { NONE } from '../../../core/plan/hash-index.ts';

/** The manifest's lines of a host's entries. */
export function linesOf(table: EntryTable, host: string): string[] {
  const lines: string[] = [];
  for (let number = table.first(host); number !== NONE; number = table.next(number)) lines.push(lineOf(table, number));
  return lines;
}

/** An entry's line of the manifest. */
export function lineOf(table: EntryTable, number: number): string {
  const line = Buffer.alloc(table.lineBytes(number));
  table.copyLine(number, line, 0);
  return String(line);
}
