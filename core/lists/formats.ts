import { readAria2 } from './aria2.ts';
import { decodeList, peek } from './decode.ts';
import type { ListFormat } from '../model/list-format.ts';
import type { ListBlock } from './item.ts';
import { readJson } from './json.ts';
import { readNdjson } from './ndjson.ts';
import { readStorageTransfer, STORAGE_TRANSFER_HEADER } from './storage-transfer.ts';
import { readTable } from './table.ts';
import { readText } from './text.ts';

type Reader = (pieces: AsyncIterable<Buffer>) => AsyncIterable<ListBlock>;

const READERS: Record<ListFormat, Reader> = {
  json: readJson,
  text: readText,
  csv: (pieces) => readTable(pieces, ','),
  tsv: readTsv,
  ndjson: readNdjson,
  'storage-transfer': readStorageTransfer,
  aria2: readAria2,
};

/** A table, unless its first line says that it is the other format of that media type and name. */
async function* readTsv(pieces: AsyncIterable<Buffer>): AsyncGenerator<ListBlock> {
  const { first, all } = await peek(pieces, STORAGE_TRANSFER_HEADER.length);
  const isOther = first.toString('latin1', 0, STORAGE_TRANSFER_HEADER.length) === STORAGE_TRANSFER_HEADER;
  yield* isOther ? readStorageTransfer(all) : readTable(all, '\t');
}

/**
 * The items of a list, read as its bytes come; a gzipped one is unpacked.
 *
 * @param maxBytes of the list, unpacked
 * @throws InvalidListError, which names line and column where reading comes to its end; the source's errors
 */
export function readList(bytes: AsyncIterable<Buffer>, format: ListFormat, maxBytes: number): AsyncIterable<ListBlock> {
  return READERS[format](decodeList(bytes, maxBytes));
}
