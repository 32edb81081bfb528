/** Every format of a list, by the name that users say it by. docs/lists.md has an example of each. */
export const LIST_FORMATS = ['json', 'text', 'csv', 'tsv', 'ndjson', 'storage-transfer', 'aria2'] as const;

export type ListFormat = (typeof LIST_FORMATS)[number];

/** How formats are called besides. */
interface Names {
  /** Media types, in lower case; the first is the proper one. */
  types: readonly string[];
  /** How file names end; the format of storage transfer services is known by its first line. */
  extensions: readonly string[];
}

const NAMES: Record<ListFormat, Names> = {
  json: { types: ['application/json'], extensions: ['json'] },
  text: { types: ['text/plain'], extensions: ['txt', 'text', 'lst', 'list'] },
  csv: { types: ['text/csv', 'application/csv'], extensions: ['csv'] },
  tsv: { types: ['text/tab-separated-values'], extensions: ['tsv', 'tab'] },
  ndjson: {
    types: ['application/x-ndjson', 'application/ndjson', 'application/jsonl', 'application/x-jsonlines'],
    extensions: ['ndjson', 'jsonl'],
  },
  'storage-transfer': { types: [], extensions: [] },
  aria2: { types: [], extensions: ['aria2'] },
};

/** Media types that say a format. */
export const LIST_TYPES: readonly string[] = LIST_FORMATS.flatMap((format) => NAMES[format].types);

/** The format that a media type says, its parameters left out; `undefined` for one that says none. */
export function formatOfType(type: string): ListFormat | undefined {
  return LIST_FORMATS.find((format) => NAMES[format].types.includes(type.toLowerCase()));
}

/** The format that a file's name says, with or without `.gz` behind it; `undefined` where it says none. */
export function formatOfName(name: string): ListFormat | undefined {
  const extension = /\.([a-z0-9]+)(?:\.gz)?$/i.exec(name)?.[1]?.toLowerCase() ?? '';
  return LIST_FORMATS.find((format) => NAMES[format].extensions.includes(extension));
}
