import type { FileDocument } from '../../http/documents.ts';

export type FileState = FileDocument['state'];

const FILE_STATES: readonly FileState[] = ['done', 'failed', 'skipped'];

/** What a page of a list is called in the address. */
export interface PageOf {
  cursor?: string | undefined;
}

/** Which files of a batch are looked at. */
export interface FilesView extends PageOf {
  state?: FileState | undefined;
}

export type Route =
  ({ view: 'batches' } & PageOf) | { view: 'new' } | ({ view: 'batch'; id: string } & FilesView) | { view: 'unknown' };

/** What an address's fragment shows: `#/`, `#/new`, `#/batches/{id}?state=failed&cursor=…`. */
export function parseRoute(fragment: string): Route {
  const [path = '', query = ''] = fragment.replace(/^#/, '').split('?');
  const parameters = new URLSearchParams(query);
  const cursor = parameters.get('cursor') ?? undefined;
  if (path === '' || path === '/') return { view: 'batches', cursor };
  if (path === '/new') return { view: 'new' };
  const id = /^\/batches\/([0-9a-f-]{36})$/.exec(path)?.[1];
  if (id === undefined) return { view: 'unknown' };
  return { view: 'batch', id, cursor, state: FILE_STATES.find((state) => state === parameters.get('state')) };
}

export const NEW_HREF = '#/new';

export function batchesHref({ cursor }: PageOf = {}): string {
  return `#/${queryOf({ cursor })}`;
}

export function batchHref(id: string, { state, cursor }: FilesView = {}): string {
  return `#/batches/${id}${queryOf({ state, cursor })}`;
}

/** `?a=1&b=2` of the parameters that have a value, or nothing. */
export function queryOf(parameters: Record<string, string | undefined>): string {
  const given = Object.entries(parameters).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`;
}
