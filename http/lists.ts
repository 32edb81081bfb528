import type { Hono } from 'hono';
import { createObjectWriter } from '../core/download/object-writer.ts';
import { announcedList, createList } from '../core/batch/lists.ts';
import type { Service } from '../core/batch/service.ts';
import { MAX_LIST_BYTES } from '../core/model/limits.ts';
import { listKey } from '../core/model/layout.ts';
import { UnknownListError } from '../core/model/errors.ts';
import { isId } from './batch-id.ts';
import { limitBody, readPlainJson } from './body.ts';
import type { ListDocument } from './documents.ts';
import { invalidRequest, Problem } from './problem.ts';
import { readQuery } from './query.ts';
import { check, listSchema, noQuerySchema } from './schemas.ts';

const GIB = 1024 ** 3;

/** `POST /lists`: says where to put a list that is too large for a body. */
export function addListRoutes(app: Hono, service: Pick<Service, 'state' | 'clock' | 'random'>): void {
  app.post('/lists', limitBody, async (c) => {
    check(noQuerySchema, readQuery(c.req.url));
    const announced = check(listSchema, await readPlainJson(c));
    if (announced.bytes > MAX_LIST_BYTES) {
      throw new Problem('list-too-large', `A list may have ${MAX_LIST_BYTES / GIB} GiB; split it.`);
    }
    const { listId, expiresAt, link } = await createList(service, announced);
    const own = { url: new URL(`/lists/${listId}`, c.req.url).href, method: 'PUT' } as const;
    const upload = link ?? { ...own, headers: { 'content-length': String(announced.bytes) } };
    const answer: ListDocument = { listId, upload: { ...upload, expiresAt: new Date(expiresAt).toISOString() } };
    return c.json(answer, 201);
  });
}

/** `PUT /lists/{listId}`, for a host whose store gives no links: takes the list itself, as it comes. */
export function addUploadRoute(app: Hono, { state, clock }: Pick<Service, 'state' | 'clock'>): void {
  app.put('/lists/:id', async (c) => {
    check(noQuerySchema, readQuery(c.req.url));
    const id = c.req.param('id');
    if (!isId(id)) throw new UnknownListError(`There is no list ${id.slice(0, 40)}.`);
    const { bytes } = await announcedList({ state, clock }, id);
    const wrong = () =>
      invalidRequest([{ field: 'Content-Length', reason: `is not the ${bytes} that were announced` }]);
    if (c.req.header('content-length') !== String(bytes)) throw wrong();

    const type = c.req.header('content-type');
    await using writer = createObjectWriter(state, listKey(id), { contentType: type }, { limitBytes: bytes });
    let read = 0;
    for await (const piece of (c.req.raw.body ?? []) as AsyncIterable<Uint8Array>) {
      read += piece.length;
      await writer.write(Buffer.from(piece.buffer, piece.byteOffset, piece.length));
    }
    if (read !== bytes) throw wrong();
    await writer.finish();
    return c.body(null, 200);
  });
  app.all('/lists/:id', (c) => {
    throw new Problem('method-not-allowed', `${c.req.method} is not taken here; PUT is.`, {
      headers: { allow: 'PUT' },
    });
  });
}
