import { InvalidListError, type ListProblem } from '../model/errors.ts';

/** One item of a user's list: a URL, or an object that holds one. */
export type ListItem = ReadItem | TextItem;

/** An item that was made of its part of the list. */
export interface ReadItem {
  /** Where it begins, from 1; in JSON its place in the array. */
  line: number;
  value: unknown;
  /** Why it could not be read, if so; `value` then says nothing. */
  problem?: Omit<ListProblem, 'line'> | undefined;
}

/** A text, in UTF-8, as part of a block of the list: to make a string of it takes longer than to check it. */
export interface TextRange {
  bytes: Buffer;
  from: number;
  /** The byte behind it. */
  to: number;
}

/** An item that is a text as it stands in the list; good until the next block is read. */
export interface TextItem extends TextRange {
  line: number;
}

/** An item made of its part of the list. */
export function readItem(item: ListItem): ReadItem {
  return 'bytes' in item ? { line: item.line, value: item.bytes.toString('utf8', item.from, item.to) } : item;
}

/** Some items of a list that came together: a million promises take longer than what they promise. */
export type ListBlock = Iterable<ListItem>;

/** The error of a list that cannot be read any further. Line and column are counted from 1, columns in bytes. */
export function unreadable(line: number, column: number, reason: string, options?: ErrorOptions): InvalidListError {
  const problem: ListProblem = { line, column, field: '', value: '', reason };
  return new InvalidListError('The list cannot be read to its end; nothing was started.', [problem], options);
}

/** The error of a list whose entries cannot even be begun with: it is not what it is said to be, or too much. */
export function unusable(reason: string, options?: ErrorOptions): InvalidListError {
  return new InvalidListError(`The list ${reason}; nothing was started.`, [], options);
}
