/** Every format of a list, by the name that users say it by. docs/lists.md has an example of each. */
export const LIST_FORMATS = ['json', 'text', 'csv', 'tsv', 'ndjson', 'storage-transfer', 'aria2'] as const;

export type ListFormat = (typeof LIST_FORMATS)[number];
