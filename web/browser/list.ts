import { formatOfName, type ListFormat } from '../../core/model/list-format.ts';

/** A list as the user gave it: pasted, or a file. */
export interface GivenList {
  body: Blob;
  /** The file's, if it is one. */
  fileName?: string | undefined;
  format: ListFormat;
}

/** Enough of a list to know its format by, in bytes. */
const HEAD_BYTES = 8192;

/** A pasted list, or `undefined` where there is nothing in it. */
export function pastedList(text: string, format: ListFormat | undefined): GivenList | undefined {
  if (text.trim() === '') return undefined;
  return { body: new Blob([text]), format: format ?? guessFormat(text.slice(0, HEAD_BYTES)) };
}

/** A list in a file. */
export async function listOfFile(file: File, format: ListFormat | undefined): Promise<GivenList> {
  return { body: file, fileName: file.name, format: format ?? (await formatOfFile(file)) };
}

/** The format that a file has by its name, else by how it begins. */
async function formatOfFile(file: File): Promise<ListFormat> {
  return formatOfName(file.name) ?? guessFormat(await file.slice(0, HEAD_BYTES).text());
}

/** The format that a text has by how it begins: `text` where nothing speaks for another. */
export function guessFormat(head: string): ListFormat {
  const [first = '', second = ''] = head.split(/\r?\n/).filter((line) => line.trim() !== '');
  if (first.startsWith('TsvHttpData-1.0')) return 'storage-transfer';
  if (/^\s*(\[|\{\s*("urls"|$))/.test(first)) return 'json';
  if (/^\s*[{"].*[}"]\s*$/.test(first) && !first.includes('","')) return 'ndjson';
  if (/^\s+[a-z-]+=/.test(second)) return 'aria2';
  if (hasUrlColumn(first, '\t')) return 'tsv';
  if (hasUrlColumn(first, ',')) return 'csv';
  return 'text';
}

function hasUrlColumn(header: string, separator: string): boolean {
  return header.split(separator).some((cell) => /^\s*"?url"?\s*$/i.test(cell));
}
