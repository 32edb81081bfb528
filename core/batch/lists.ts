import { unusable } from '../lists/item.ts';
import { InvalidOptionError, UnknownListError } from '../model/errors.ts';
import { LIST_KEPT_MS, LIST_UPLOAD_MS } from '../model/limits.ts';
import { announcementKey, listKey, listOfKey, LISTS_PREFIX } from '../model/layout.ts';
import { formatOfName, formatOfType, LIST_FORMATS, type ListFormat } from '../model/list-format.ts';
import type { UploadedList } from '../model/records.ts';
import { ObjectStoreError, type ObjectStore, type UploadLink } from '../ports/object-store.ts';
import { newId, timeOf } from './ids.ts';
import type { Service } from './service.ts';

/** What a user says of a list before the upload. */
export interface ListAnnouncement {
  /** Of the list as it is sent, packed if it is. */
  bytes: number;
  format?: ListFormat | undefined;
  /** The file's name, which can say the format. */
  name?: string | undefined;
}

/** A list that is to be a batch. */
export interface ListChoice {
  id: string;
  /** Needed only where nothing said it before. */
  format?: ListFormat | undefined;
}

/**
 * Makes room for a list that is too large for a request's body.
 *
 * @returns where to put it; no link where the store has none to give, so that the host itself takes the list
 */
export async function createList(
  { state, clock, random }: Pick<Service, 'state' | 'clock' | 'random'>,
  { bytes, format, name }: ListAnnouncement,
): Promise<{ listId: string; expiresAt: number; link: UploadLink | undefined }> {
  const listId = newId({ clock, random });
  const announced: ListAnnouncement = {
    bytes,
    format: format ?? (name === undefined ? undefined : formatOfName(name)),
  };
  await state.put(announcementKey(listId), Buffer.from(JSON.stringify(announced)));
  const link = await state.uploadLink(listKey(listId), { bytes, expiresInMs: LIST_UPLOAD_MS });
  return { listId, expiresAt: clock.now() + LIST_UPLOAD_MS, link };
}

/**
 * What was announced of a list whose upload may still come.
 *
 * @throws UnknownListError
 */
export async function announcedList(
  { state, clock }: Pick<Service, 'state' | 'clock'>,
  listId: string,
): Promise<ListAnnouncement> {
  if (clock.now() > timeOf(listId) + LIST_UPLOAD_MS)
    throw new UnknownListError('The time for uploading this list is over.');
  return readAnnouncement(state, listId);
}

async function readAnnouncement(state: ObjectStore, listId: string): Promise<ListAnnouncement> {
  const body = await state.get(announcementKey(listId));
  if (!body) throw new UnknownListError(`There is no list ${listId}; lists are kept for 7 days.`);
  return JSON.parse(String(body)) as ListAnnouncement;
}

/**
 * The version of a list that is there now.
 *
 * @throws UnknownListError; InvalidOptionError where nothing says its format
 */
export async function pinList({ state }: Pick<Service, 'state'>, { id, format }: ListChoice): Promise<UploadedList> {
  const announced = await readAnnouncement(state, id);
  const object = await state.head(listKey(id));
  if (!object) throw new UnknownListError(`The list ${id} was not uploaded yet.`);
  const known = format ?? announced.format ?? formatOfType(object.contentType?.split(';')[0]?.trim() ?? '');
  if (!known)
    throw new InvalidOptionError('format', `is needed, since nothing else says it: ${LIST_FORMATS.join(', ')}`);
  return { kind: 'uploaded', id, etag: object.etag, bytes: object.bytes, format: known };
}

/** Bytes of a list that are read at once. */
const BLOCK_BYTES = 4 * 1024 ** 2;

/**
 * The bytes of an uploaded list, in the version that is pinned.
 *
 * @throws InvalidListError if that is no longer there
 */
export async function* readUploaded(state: ObjectStore, { id, etag, bytes }: UploadedList): AsyncGenerator<Buffer> {
  for (let from = 0; from < bytes; from += BLOCK_BYTES) {
    const to = Math.min(bytes, from + BLOCK_BYTES);
    const block = await state.get(listKey(id), { from, to, ifMatch: etag }).catch((error: unknown) => {
      if (!(error instanceof ObjectStoreError) || error.code !== 'CHANGED') throw error;
      throw unusable('was replaced after the batch was begun', { cause: error });
    });
    if (!block) throw unusable('is no longer there');
    yield block;
  }
}

/** Removes lists that are older than they are kept, for stores that do not do so by themselves. */
export async function dropOldLists({ state, clock }: Pick<Service, 'state' | 'clock'>): Promise<void> {
  for await (const key of state.list(LISTS_PREFIX)) {
    if (clock.now() > timeOf(listOfKey(key)) + LIST_KEPT_MS) await state.delete(key);
  }
}
