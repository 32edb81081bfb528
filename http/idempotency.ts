import { createHash, hash } from 'node:crypto';
import type { Context } from 'hono';
import { newId } from '../core/batch/ids.ts';
import { startOnce, type KeyedRequest } from '../core/batch/once.ts';
import type { Service } from '../core/batch/service.ts';
import { invalidRequest } from './problem.ts';

const HEADER = 'Idempotency-Key';
const VISIBLE = /^[\x21-\x7e]{1,255}$/;
/** What of a request's headers says how its body is to be read. */
const MEANING = ['content-type', 'content-encoding'];

/**
 * Starts a batch, and no second one for a request with an `Idempotency-Key` that was carried out before
 * (draft-ietf-httpapi-idempotency-key-header-07). The key is taken as it stands, be it a quoted string or not.
 *
 * @param start starts the batch under this id, or refuses and has done nothing
 * @returns the batch's id
 * @throws Problem for a key that is none; KeyReusedError, KeyInUseError; what `start` throws
 */
export async function startBatch(
  c: Context,
  service: Service,
  start: (as: { id: string; claim?: string }) => Promise<unknown>,
): Promise<string> {
  const key = c.req.header(HEADER);
  if (key === undefined) {
    const id = newId(service);
    await start({ id });
    return id;
  }
  if (!VISIBLE.test(key)) {
    throw invalidRequest([{ field: HEADER, reason: '1 to 255 visible ASCII characters are wanted' }]);
  }
  const keyed: KeyedRequest = { key: hash('sha256', key), request: await digestOf(c) };
  return startOnce(service, keyed, ({ batchId, key: claim }) => start({ id: batchId, claim }));
}

/** SHA-256 of all that a request asks for. */
async function digestOf(c: Context): Promise<string> {
  const { pathname, search } = new URL(c.req.url);
  const head = [c.req.method, pathname, search, ...MEANING.map((name) => c.req.header(name) ?? '')];
  const body = new Uint8Array(await c.req.arrayBuffer());
  return createHash('sha256')
    .update(`${JSON.stringify(head)}\n`)
    .update(body)
    .digest('hex');
}
