import { randomUUID } from 'node:crypto';
import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import { PurgeQueueCommand } from '@aws-sdk/client-sqs';
import { expect, it } from 'vitest';
import type { FileDocument, ListDocument, StatusDocument } from '../../http/documents.ts';
import type { WireCall } from '../helpers/aws-wire.ts';
import { cutOff, file, inTurn, redirect, status } from '../helpers/origin-answers.ts';
import { startOrigin } from '../helpers/origin.ts';
import { serve } from '../helpers/versions.ts';
import { EVENT_SOURCE, startFleet, type Fleet } from '../integration/aws/fleet.ts';
import { expectGrantedOnly } from './grants.ts';
import { needsOf } from './needs.ts';
import { synthesise } from './synth.ts';

const FUNCTIONS = ['api', 'planner', 'status', 'sweeper', 'worker'];
const NO_LIST = '01890a5d-ac96-774b-bcce-b302099a8057';
/** What no client tries again. */
const DENIED = { status: 403, body: '<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>' };

/** A file of more than one part. */
const LARGE = Buffer.alloc(9_000_000, 'large');
/** It breaks off in its fourth part, when the first has landed, and is then put off for an hour. */
const PUT_OFF = inTurn(
  serve({ body: Buffer.alloc(26_000_000), etag: '"1"' }, 25_900_000),
  status(503, { 'retry-after': '3600' }),
);
/** Entries that fail without a request, and make manifest and failed list larger than one part. */
const BLOCKED = Array.from({ length: 4500 }, (_, n) => `http://10.0.0.${n % 4}/${n}/${'x'.repeat(2000)}`);

/** Does once, over a fleet of the deployed functions, what users do and what can go wrong: every way that calls AWS. */
async function live(fleet: Fleet, faults: Faults): Promise<void> {
  const { ask, run, finish, aws } = fleet;
  const get = async <T>(path: string) => (await ask({ path })).document as T;
  const post = async (path: string, body: object = {}, expected = 202) => {
    const headers = {
      'content-type': 'application/json',
      'idempotency-key': randomUUID(),
    };
    const answer = await ask({ method: 'POST', path, headers, body: JSON.stringify(body) });
    expect(answer.status, fleet.logged.join('')).toBe(expected);
    return answer.document as StatusDocument;
  };
  const submit = (urls: string[], options: object = {}) => post('/batches', { urls, options });
  const upload = async (list: string, options: object = {}) => {
    const announced = await post('/lists', { bytes: Buffer.byteLength(list), format: 'text' }, 201);
    const { listId, upload } = announced as unknown as ListDocument;
    await fetch(upload.url, { method: upload.method, headers: upload.headers, body: list });
    return { listId, batch: await post('/batches', { listId, options }) };
  };
  const loseTickets = () => aws.clients.sqs.send(new PurgeQueueCommand({ QueueUrl: aws.config.queueUrl }));
  const deleteObject = (Bucket: string, Key: string) => aws.clients.s3.send(new DeleteObjectCommand({ Bucket, Key }));
  const other = await startOrigin({ '/x': file('x'), '/y': file('y') });
  const origin = await startOrigin({
    '/small': file('small'),
    '/large': file(LARGE),
    '/broken': inTurn(cutOff(LARGE.subarray(0, 8_900_000), LARGE.length), file(LARGE)),
    '/away': redirect(other.url('/x')),
    '/put-off': PUT_OFF,
    '/put-off-too': PUT_OFF,
  });
  const shared = { prefix: 'shared/', headers: { authorization: 's3cr3t' } };

  // Files of all sizes, one that breaks off, one that is not there; those that are there already; what came of it.
  const first = await submit(
    [origin.url('/small'), origin.url('/large'), origin.url('/broken'), origin.url('/no')],
    shared,
  );
  expect(await finish(first.id)).toMatchObject({ done: 3, failed: 1 });
  const again = await submit([origin.url('/small')], { prefix: 'shared/', ifExists: 'refresh' });
  await finish(again.id);
  const skipping = await submit([origin.url('/small')], { prefix: 'shared/' });
  expect(await finish(skipping.id)).toMatchObject({ skipped: 1 });
  const { files } = await get<{ files: FileDocument[] }>(`/batches/${skipping.id}/files?links=true`);
  await deleteObject(aws.config.filesBucket, `${aws.config.filesPrefix}shared/${files[0]?.key}`);
  await get(`/batches/${skipping.id}/files?links=true`);
  await get(`/batches/${first.id}/files?state=failed`);
  await get(`/batches/${first.id}/summary`);
  await get('/batches');

  // Entries that lead to the host of another shard.
  const crossing = await submit([origin.url('/away'), other.url('/y')]);
  expect(await finish(crossing.id)).toMatchObject({ done: 2 });

  // Retried, paused, resumed, cancelled with an upload that waits, deleted.
  const retried = await post(`/batches/${first.id}/retry`);
  await finish(retried.id);
  const waits = async (id: string) => {
    const { retrying, shards } = await get<StatusDocument>(`/batches/${id}`);
    return retrying > 0 && shards.working === 0;
  };
  const putOff = await submit([origin.url('/put-off')]);
  await run(() => waits(putOff.id));
  await post(`/batches/${putOff.id}/pause`);
  await post(`/batches/${putOff.id}/resume`);
  expect(await post(`/batches/${putOff.id}/cancel`)).toMatchObject({ state: 'cancelled' });
  await ask({ method: 'DELETE', path: `/batches/${putOff.id}` });

  // A deletion that breaks off.
  faults.s3 = ({ owner, command }) => owner === 'api' && command === 'DeleteObject';
  expect(await ask({ method: 'DELETE', path: `/batches/${retried.id}` })).toMatchObject({ status: 500 });
  faults.s3 = undefined;
  await run(() => deleted(fleet, 'sweeper', retried.id));

  // The same, and then a planner that comes too late.
  faults.s3 = ({ owner, command }) => owner === 'api' && command === 'DeleteObject';
  await ask({ method: 'DELETE', path: `/batches/${again.id}` });
  faults.s3 = undefined;
  aws.invocations.push({ functionName: aws.config.plannerFunction, event: { batchId: again.id } });
  await run(() => deleted(fleet, 'planner', again.id));

  // Cancelled while a worker holds the lease that has died, and the ticket with it.
  const orphaned = await submit([origin.url('/put-off-too')]);
  await run(() => waits(orphaned.id));
  faults.death = true;
  await run(() => fleet.deaths > 0);
  faults.death = false;
  await loseTickets();
  expect(await post(`/batches/${orphaned.id}/cancel`)).toMatchObject({ state: 'cancelling' });
  expect(await finish(orphaned.id)).toMatchObject({ state: 'cancelled' });

  // Tickets that are lost.
  // And the answer to the sweeper's write, so that it looks whether that landed.
  const lost = await submit([origin.url('/small')]);
  await loseTickets();
  faults.answer = ({ owner, command, attempts }) =>
    owner === 'sweeper' && command === 'PutItem' && attempts.length === 1;
  await finish(lost.id);
  faults.answer = undefined;

  // Lists that are uploaded: good, unknown, bad, gone, and one whose planner breaks off.
  await post('/batches', { listId: NO_LIST }, 404);
  const bad = await upload('nowhere\n', shared);
  expect(await finish(bad.batch.id)).toMatchObject({ state: 'rejected' });
  const gone = await upload(`${origin.url('/small')}\n`);
  await deleteObject(aws.config.stateBucket, `lists/${gone.listId}`);
  expect(await finish(gone.batch.id)).toMatchObject({ state: 'rejected' });

  // A batch whose manifest and failed list are of several parts, which cannot be written at first, whoever tries.
  faults.s3 = ({ owner, command }) => owner === 'planner' && command === 'UploadPart';
  const large = await upload(BLOCKED.join('\n'));
  await run(() => abortsOf(fleet, 'planner') > 0);
  faults.s3 = ({ command, input: { Key } }) => command === 'UploadPart' && String(Key).endsWith('/failed.jsonl');
  await run(() => abortsOf(fleet, 'sweeper') > 0);
  await post(`/batches/${large.batch.id}/cancel`, {}, 500);
  faults.s3 = undefined;
  expect(await finish(large.batch.id)).toMatchObject({ failed: BLOCKED.length });
}

interface Faults {
  /** Calls of S3 that are denied. */
  s3: ((call: WireCall) => boolean) | undefined;
  /** Calls whose answer is lost. */
  answer: ((call: WireCall) => boolean) | undefined;
  /** Workers die once they have their lease. */
  death: boolean;
}

/** Whether a function has removed what is kept of a batch. */
function deleted({ calls }: Fleet, name: string, batchId: string): boolean {
  return calls.some(
    ({ owner, command, input }) =>
      owner.startsWith(name) && command === 'DeleteObject' && input.Key === `secrets/${batchId}.json`,
  );
}

/** Uploads into the state bucket that a function has given up. */
function abortsOf({ calls, aws }: Fleet, name: string): number {
  return calls.filter(
    ({ owner, command, input }) =>
      owner.startsWith(name) && command === 'AbortMultipartUpload' && input.Bucket === aws.config.stateBucket,
  ).length;
}

it('each function may do what it does, on what it does that, and nothing else', async () => {
  const faults: Faults = { s3: undefined, answer: undefined, death: false };
  const fleet = await startFleet({
    seed: 1,
    limits: { minEntriesPerShard: 1 },
    dies: () => (faults.death ? 12 : undefined),
    fault: (call) => {
      if (faults.answer?.(call) === true) return 'lose answer';
      return faults.s3?.(call) === true ? DENIED : undefined;
    },
  });
  await live(fleet, faults);

  const template = synthesise({ filesPrefix: fleet.aws.config.filesPrefix });
  for (const name of FUNCTIONS) {
    // The event source asks in the name of the worker.
    const owners = name === 'worker' ? [name, EVENT_SOURCE] : [name];
    const calls = fleet.calls.filter(({ owner }) => owners.some((start) => owner.startsWith(start)));
    expectGrantedOnly(template, name, calls.flatMap(needsOf), fleet.aws.config);
  }
});
