import type { EntryTable } from '../../../core/plan/entry-table.ts';

/** The manifest's lines of a host's entries. */
export function linesOf(table: EntryTable, host: string): string[] {
  return String(table.lines(table.entriesOf(host))).match(/[^\n]*\n/g) ?? [];
}
