import { send } from './api.ts';

/** Failed entries that are asked for at once. */
const PAGE_SIZE = 1000;
/** How long a browser may take to begin with a download, in milliseconds. */
const SAVE_MS = 60_000;

/**
 * Reads the failed entries of a batch as NDJSON, page by page, and has the browser save them: a list that can be posted
 * again. What is read is the browser's to keep (a Blob), not the page's.
 *
 * @param failed how many there are; a batch that runs has no last page
 * @param told of how many are read
 * @throws as `send`
 */
export async function downloadFailedList(id: string, failed: number, told: (read: number) => void): Promise<void> {
  const pages: Blob[] = [];
  let read = 0;
  let page: string | undefined;
  let next: string | undefined = `batches/${id}/files?state=failed&limit=${PAGE_SIZE}`;
  // A page that is its own next one is the last that there is yet.
  while (next !== undefined && next !== page && read < failed) {
    page = next;
    const response: Response = await send(page, { headers: { accept: 'application/x-ndjson' } });
    const text = await response.text();
    pages.push(new Blob([text]));
    read += text.split('\n').length - 1;
    told(read);
    next = /^<([^>]+)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1];
  }
  save(new Blob(pages, { type: 'application/x-ndjson' }), `${id}-failed.jsonl`);
}

function save(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // Some browsers begin to read only after the click.
  setTimeout(() => URL.revokeObjectURL(link.href), SAVE_MS);
}
