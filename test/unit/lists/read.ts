import { readList } from '../../../core/lists/formats.ts';
import { readItem, type ReadItem } from '../../../core/lists/item.ts';
import { InvalidListError, type ListProblem } from '../../../core/model/errors.ts';
import type { ListFormat } from '../../../core/model/list-format.ts';

const MIB = 1024 ** 2;

/** The bytes in pieces of this size, so that every line, quote and character is cut somewhere. */
// eslint-disable-next-line @typescript-eslint/require-await -- lists come asynchronously
export async function* piecesOf(list: string | Buffer, pieceBytes = 7): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(list);
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

export interface ReadOptions {
  pieceBytes?: number;
  maxBytes?: number;
}

/** A list's items. */
export function read(format: ListFormat, list: string | Buffer, options: ReadOptions = {}): Promise<ReadItem[]> {
  const { pieceBytes, maxBytes = MIB } = options;
  const blocks = readList(piecesOf(list, pieceBytes), format, maxBytes);
  return Array.fromAsync(blocks, (block) => Array.from(block, readItem)).then((items) => items.flat());
}

/** Line and value of each item; what could not be read by its problem. */
export async function valuesOf(format: ListFormat, list: string | Buffer, options?: ReadOptions) {
  return (await read(format, list, options)).map(({ line, value, problem }) => [line, problem ?? value]);
}

/** What keeps a list from being read to its end. */
export async function failureOf(
  format: ListFormat,
  list: string | Buffer,
  options?: ReadOptions,
): Promise<{ message: string; problem: ListProblem | undefined }> {
  const error = await read(format, list, options).catch((error: unknown) => error);
  if (!(error instanceof InvalidListError)) throw new Error('The list was read.', { cause: error });
  return { message: error.message, problem: error.problems[0] };
}
