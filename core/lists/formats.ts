import { readAria2 } from './aria2.ts';
import { decodeList, peek } from './decode.ts';
import { LIST_FORMATS, type ListFormat } from '../model/list-format.ts';
import type { ListItem } from './item.ts';
import { readJson } from './json.ts';
import { readNdjson } from './ndjson.ts';
import { readStorageTransfer, STORAGE_TRANSFER_HEADER } from './storage-transfer.ts';
import { readTable } from './table.ts';
import { readText } from './text.ts';

type Reader = (pieces: AsyncIterable<Buffer>) => AsyncIterable<ListItem>;

interface Format {
  read: Reader;
  /** Media types, in lower case; the first is the proper one. */
  types: readonly string[];
  /** How file names end. */
  extensions: readonly string[];
}

const FORMATS: Record<ListFormat, Format> = {
  json: { read: readJson, types: ['application/json'], extensions: ['json'] },
  text: { read: readText, types: ['text/plain'], extensions: ['txt', 'text', 'lst', 'list'] },
  csv: { read: (pieces) => readTable(pieces, ','), types: ['text/csv', 'application/csv'], extensions: ['csv'] },
  tsv: { read: readTsv, types: ['text/tab-separated-values'], extensions: ['tsv', 'tab'] },
  ndjson: {
    read: readNdjson,
    types: ['application/x-ndjson', 'application/ndjson', 'application/jsonl', 'application/x-jsonlines'],
    extensions: ['ndjson', 'jsonl'],
  },
  'storage-transfer': { read: readStorageTransfer, types: [], extensions: [] },
  aria2: { read: readAria2, types: [], extensions: ['aria2'] },
};

/** A table, unless its first line says that it is the other format of that media type and name. */
async function* readTsv(pieces: AsyncIterable<Buffer>): AsyncGenerator<ListItem> {
  const { first, all } = await peek(pieces, STORAGE_TRANSFER_HEADER.length);
  const isOther = first.toString('latin1', 0, STORAGE_TRANSFER_HEADER.length) === STORAGE_TRANSFER_HEADER;
  yield* isOther ? readStorageTransfer(all) : readTable(all, '\t');
}

/** Media types that say a format. */
export const LIST_TYPES: readonly string[] = LIST_FORMATS.flatMap((format) => FORMATS[format].types);

/** The format that a media type says, its parameters left out; `undefined` for one that says none. */
export function formatOfType(type: string): ListFormat | undefined {
  return LIST_FORMATS.find((format) => FORMATS[format].types.includes(type.toLowerCase()));
}

/** The format that a file's name says, with or without `.gz` behind it. */
export function formatOfName(name: string): ListFormat | undefined {
  const extension = /\.([a-z0-9]+)(?:\.gz)?$/i.exec(name)?.[1]?.toLowerCase() ?? '';
  return LIST_FORMATS.find((format) => FORMATS[format].extensions.includes(extension));
}

/**
 * The items of a list, read as its bytes come; a gzipped one is unpacked.
 *
 * @param maxBytes of the list, unpacked
 * @throws InvalidListError, which names line and column where reading comes to its end; the source's errors
 */
export function readList(bytes: AsyncIterable<Buffer>, format: ListFormat, maxBytes: number): AsyncIterable<ListItem> {
  return FORMATS[format].read(decodeList(bytes, maxBytes));
}
