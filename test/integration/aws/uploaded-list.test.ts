import { expect, test } from 'vitest';
import type { ListDocument } from '../../../http/documents.ts';
import type { StatusDocument } from '../../../http/documents.ts';
import { startFileOrigin } from '../local/file-origin.ts';
import { startFleet } from './fleet.ts';

const json = (path: string, body: object) => ({
  method: 'POST',
  path,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

test('a list is uploaded by its link, planned by the planner that Lambda is asked for, and downloaded', async () => {
  const origin = await startFileOrigin();
  const fleet = await startFleet({ seed: 1 });
  const list = `url\n${[1, 2, 3].map(origin.file).join('\n')}\n`;
  const { status, document } = await fleet.ask(json('/lists', { bytes: list.length, name: 'files.csv' }));
  expect(status).toBe(201);
  const { listId, upload } = document as ListDocument;
  const put = await fetch(upload.url, { method: upload.method, headers: upload.headers, body: list });
  expect(put.status).toBe(200);

  const begun = await fleet.ask(json('/batches', { listId }));
  expect(begun).toMatchObject({ status: 202, document: { state: 'planning', linesPlanned: 0, total: 0 } });
  const ended = await fleet.finish((begun.document as StatusDocument).id);
  expect(ended).toMatchObject({ state: 'finished', total: 3, done: 3 });
});

test('a list with bad lines ends its batch as rejected', async () => {
  const fleet = await startFleet({ seed: 1 });
  const list = 'nowhere\n';
  const { document } = await fleet.ask(json('/lists', { bytes: list.length, format: 'text' }));
  const { listId, upload } = document as ListDocument;
  await fetch(upload.url, { method: upload.method, headers: upload.headers, body: list });
  const begun = await fleet.ask(json('/batches', { listId }));
  const ended = await fleet.finish((begun.document as StatusDocument).id);
  expect(ended).toMatchObject({
    state: 'rejected',
    problem: { type: 'urn:downburst:problem:invalid-list', status: 422, errors: [{ line: 1, field: 'url' }] },
  });
});
