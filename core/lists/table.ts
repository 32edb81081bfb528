import { pipeline } from 'node:stream/promises';
import { CsvError, parse } from 'csv-parse';
import { ENTRY_FIELDS, PASSED_OVER_FIELDS } from '../plan/check-entry.ts';
import { shorten } from '../model/redact.ts';
import { unreadable, type ListBlock, type ListItem } from './item.ts';
import { numberOf } from './storage-transfer.ts';

/** A column of request headers: `header:Authorization`. */
const HEADER_COLUMN = /^header:(.+)$/is;
/** Bytes of one row: as of a line, see `lines.ts`; a quote that is never closed does not fill the memory. */
const MAX_ROW_BYTES = 256 * 1024;

interface Row {
  record: string[];
  info: { lines: number };
}

/**
 * Reads a table: a row that names the columns, then a row for each entry. Quoting is that of RFC 4180, whatever the
 * delimiter. Blank lines are passed over, and so are empty cells: they say nothing of their entry.
 *
 * @throws InvalidListError for columns that are not known, missing or named twice, and for quotes that do not match
 */
export async function* readTable(pieces: AsyncIterable<Buffer>, delimiter: ',' | '\t'): AsyncGenerator<ListBlock> {
  const parser = parse({
    delimiter,
    info: true,
    record_delimiter: ['\r\n', '\n'],
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: MAX_ROW_BYTES,
  });
  // What fails the source or the parser is thrown by the loop as well.
  const feeding = pipeline(pieces, parser).catch(() => undefined);
  let columns: string[] | undefined;
  /** The parser counts a CRLF within quotes as two lines. */
  let twice = 0;
  try {
    for await (const row of parser) {
      const { record, info } = row as Row;
      for (const cell of record) twice += count(cell, '\r\n');
      const line = info.lines - twice - record.reduce((sum, cell) => sum + count(cell, '\n'), 0);
      if (columns) yield [readRow(line, columns, record)];
      else columns = readColumns(line, record);
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const { lines = 1, column = 0 } = error as { lines?: number; column?: number };
    throw unreadable(lines - twice, column + 1, REASONS[error.code] ?? 'is not a row of cells', {
      cause: error,
    });
  } finally {
    parser.destroy();
    await feeding;
  }
}

const REASONS: Record<string, string> = {
  CSV_QUOTE_NOT_CLOSED: 'is the end of the text, but a quote is still open',
  CSV_INVALID_CLOSING_QUOTE: 'has a cell that goes on after its closing quote; inside quotes a quote is written twice',
  INVALID_OPENING_QUOTE: 'has a quote within a cell that does not begin with one',
  CSV_MAX_RECORD_SIZE: `is a row of more than ${MAX_ROW_BYTES} bytes; a quote before it may not be closed`,
};

function count(text: string, part: string): number {
  return text.includes(part) ? text.split(part).length - 1 : 0;
}

/** What each column holds, by its cell of the first row. */
function readColumns(line: number, names: string[]): string[] {
  const columns = names.map((name, at) => {
    const header = HEADER_COLUMN.exec(name.trim());
    const column = header ? `header:${(header[1] ?? '').trim()}` : known(name.trim());
    if (column !== undefined) return column;
    const all = [...ENTRY_FIELDS.filter((field) => field !== 'headers'), 'header:Name'].join(', ');
    throw unreadable(
      line,
      at + 1,
      `is the column ${shorten(name.trim()) || 'without a name'}, which is not known; use ${all}`,
    );
  });
  const again = columns.findIndex((column, at) => columns.indexOf(column) < at);
  if (again >= 0)
    throw unreadable(line, again + 1, `is the column ${shorten(columns[again] ?? '')} for the second time`);
  if (!columns.includes('url')) throw unreadable(line, 1, 'is a first row that names no column url');
  return columns;
}

/** Names are taken in any case. */
function known(name: string): string | undefined {
  return [...ENTRY_FIELDS, ...PASSED_OVER_FIELDS].find(
    (field) => field !== 'headers' && field.toLowerCase() === name.toLowerCase(),
  );
}

function readRow(line: number, columns: string[], cells: string[]): ListItem {
  if (cells.length > columns.length) {
    const reason = `has ${cells.length} cells under ${columns.length} columns`;
    return { line, value: undefined, problem: { column: columns.length + 1, field: '', value: '', reason } };
  }
  const fields: [string, unknown][] = [];
  const headers: [string, string][] = [];
  for (const [at, cell] of cells.entries()) {
    const column = columns[at] ?? '';
    if (cell === '') continue;
    if (column.startsWith('header:')) headers.push([column.slice('header:'.length), cell]);
    else fields.push([column, column === 'size' ? numberOf(cell) : cell]);
  }
  if (headers.length > 0) fields.push(['headers', Object.fromEntries(headers)]);
  return { line, value: Object.fromEntries(fields) };
}
