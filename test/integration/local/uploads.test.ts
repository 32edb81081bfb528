import { request } from 'node:http';
import { expect, it } from 'vitest';
import type { ListDocument } from '../../../http/documents.ts';
import { startService } from '../../helpers/service.ts';

/** A link for a list of so many bytes. */
async function announce(url: string, bytes: number): Promise<ListDocument> {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${url}/lists`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ bytes, format: 'text' }),
  });
  return (await answer.json()) as ListDocument;
}

function put(url: string, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) {
  return fetch(url, { method: 'PUT', headers, body });
}

async function begin(url: string, listId: string) {
  const headers = { 'content-type': 'application/json' };
  return fetch(`${url}/batches`, { method: 'POST', headers, body: JSON.stringify({ listId }) });
}

it('the service takes an upload of just the announced length, and no other', async () => {
  const { url } = await startService();
  const { listId, upload } = await announce(url, 5);
  expect(upload.url).toBe(`${url}/lists/${listId}`);
  for (const body of ['', 'hell', 'hello!']) {
    const answer = await put(upload.url, body);
    expect(answer.status).toBe(422);
    expect(await answer.json()).toMatchObject({
      errors: [{ field: 'Content-Length', reason: 'is not the 5 that were announced' }],
    });
  }
  expect((await begin(url, listId)).status).toBe(404);
  expect((await put(upload.url, 'hello')).status).toBe(200);
  expect((await begin(url, listId)).status).toBe(202);
});

it('an upload that breaks off leaves no list', async () => {
  const { url } = await startService();
  const { listId, upload } = await announce(url, 1000);
  await new Promise<void>((resolve) => {
    const outgoing = request(upload.url, { method: 'PUT', headers: { 'content-length': '1000' } });
    outgoing.on('error', () => resolve());
    outgoing.flushHeaders();
    outgoing.write('x'.repeat(500), () => outgoing.destroy(new Error('gone')));
  });
  expect((await begin(url, listId)).status).toBe(404);
});

it('an upload from another site, to a list that nobody announced, or by another method is refused', async () => {
  const { url } = await startService();
  const { upload } = await announce(url, 5);
  expect((await put(upload.url, 'hello', { origin: 'https://evil.example' })).status).toBe(403);
  expect((await put(upload.url, 'hello', { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
  expect((await put(`${url}/lists/01890a5d-ac96-774b-bcce-b302099a8057`, 'hello')).status).toBe(404);
  expect((await put(`${url}/lists/x`, 'hello')).status).toBe(404);
  const got = await fetch(upload.url);
  expect([got.status, got.headers.get('allow')]).toEqual([405, 'PUT']);
});

it('the service answers while a large list is planned', async () => {
  const { url } = await startService();
  const line = (i: number) => `https://a.example/${String(i).padStart(40, '0')}.jpg\n`;
  const list = Buffer.from(Array.from({ length: 100_000 }, (_, i) => line(i)).join(''));
  const { listId, upload } = await announce(url, list.length);
  expect((await put(upload.url, list)).status).toBe(200);
  const { id } = (await (await begin(url, listId)).json()) as { id: string };
  const states = new Set<string>();
  for (let state = 'planning'; state === 'planning';) {
    ({ state } = (await (await fetch(`${url}/batches/${id}`)).json()) as { state: string });
    states.add(state);
  }
  expect(states).toContain('planning');
  const cancelled = await fetch(`${url}/batches/${id}/cancel`, { method: 'POST' });
  expect(await cancelled.json()).toMatchObject({ total: 100_000 });
});
