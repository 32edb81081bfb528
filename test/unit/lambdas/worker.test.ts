import { describe, expect, it, test } from 'vitest';
import { TURN_END_MS } from '../../../core/model/limits.ts';
import type { Ticket } from '../../../core/ports/tickets.ts';
import { budgetBytes, createWorkerHandler } from '../../../lambdas/worker.ts';
import { createDownloadRig } from '../../helpers/download.ts';
import { invocation, sqsEvent, type QueueMessage } from '../../helpers/lambda-events.ts';
import { createTestLog } from '../../helpers/log.ts';
import { fileBody, startFileOrigin } from '../../integration/local/file-origin.ts';
import { createService, dyingAt, submit } from '../batch/service.ts';

const MINUTE = 60_000;
const NO_BATCH = '01890a5d-ac96-774b-bcce-b302099a8057';

async function createWorker() {
  const service = await createService();
  const { download, store } = createDownloadRig();
  const { log, told } = createTestLog();
  return {
    service,
    store,
    log,
    download,
    work: createWorkerHandler({ ...service, download }, log),
    logged: () => told.join(''),
    /** The next ticket of the queue as a worker's event source receives it. */
    receive: async (): Promise<QueueMessage> => {
      const [delivery] = await service.tickets.receive(1, 15 * MINUTE);
      if (!delivery) throw new Error('There is no ticket.');
      const { ticket, messageId, receipt, receiveCount } = delivery;
      return { body: JSON.stringify(ticket), messageId, receiptHandle: receipt, receiveCount };
    },
  };
}

test('the memory for bodies is a part of what a worker has', () => {
  expect(budgetBytes(1769)).toBe(384 * 1024 ** 2);
  expect(budgetBytes(2 * 1769)).toBe(768 * 1024 ** 2);
  // What TLS copies included, with room for the process itself.
  expect(2 * budgetBytes(1024)).toBeLessThan(750 * 1024 ** 2);
});

describe('a worker', () => {
  it("takes a ticket's turn, and is done with a ticket whose shard is finished", async () => {
    const { service, store, work, receive } = await createWorker();
    const origin = await startFileOrigin();
    const id = await submit(service, [origin.file(1), origin.file(2)]);

    expect(await work(sqsEvent(await receive()), invocation(15 * MINUTE))).toEqual({ batchItemFailures: [] });
    expect([...store.objects.values()].map(({ body }) => body.toString()).sort()).toEqual(
      [fileBody(1).toString(), fileBody(2).toString()].sort(),
    );
    expect(service.announced).toEqual([expect.objectContaining({ id, done: 2 })]);
  });

  it('starts nothing that the invocation has no time for, and has the ticket come again', async () => {
    const { service, work, receive, logged } = await createWorker();
    const origin = await startFileOrigin();
    await submit(service, [origin.file(1)]);
    const message = await receive();

    expect(await work(sqsEvent(message), invocation(TURN_END_MS))).toEqual({
      batchItemFailures: [{ itemIdentifier: message.messageId }],
    });
    expect(origin.requests()).toBe(0);
    expect(logged()).toBe('');
    // At once: its visibility says so.
    expect(await receive()).toMatchObject({ messageId: message.messageId, receiveCount: 2 });
  });

  it('has the ticket come again when a store fails, and does not throw', async () => {
    const { service, log, logged, download, receive } = await createWorker();
    const origin = await startFileOrigin();
    const id = await submit(service, [origin.file(1)]);
    const message = await receive();
    const work = createWorkerHandler({ ...dyingAt(service, 1, 'before').service, download }, log);

    expect(await work(sqsEvent(message), invocation(15 * MINUTE))).toEqual({
      batchItemFailures: [{ itemIdentifier: message.messageId }],
    });
    expect(JSON.parse(logged())).toMatchObject({ level: 'ERROR', message: 'a turn failed', batchId: id, shard: 0 });
  });

  it('says so when the end of a batch cannot be told, and has the ticket come again', async () => {
    const { service, download, log, logged, receive } = await createWorker();
    const origin = await startFileOrigin();
    const id = await submit(service, [origin.file(1)]);
    const message = await receive();
    const announce = () => Promise.reject(new Error('no event bus'));

    const work = createWorkerHandler({ ...service, announce, download }, log);
    expect(await work(sqsEvent(message), invocation(15 * MINUTE))).toEqual({
      batchItemFailures: [{ itemIdentifier: message.messageId }],
    });
    expect(JSON.parse(logged())).toMatchObject({ level: 'ERROR', message: 'a turn failed', batchId: id, shard: 0 });
    expect(logged()).toContain('no event bus');
  });

  it('has a message come again that it cannot read, and says so', async () => {
    const { work, logged } = await createWorker();
    const event = sqsEvent({ body: JSON.stringify({ batchId: NO_BATCH, shard: 0 }), messageId: 'm-1' });
    Object.assign(event.Records[0] ?? {}, { attributes: undefined });
    expect(await work(event, invocation(15 * MINUTE))).toEqual({ batchItemFailures: [{ itemIdentifier: 'm-1' }] });
    expect(JSON.parse(logged())).toMatchObject({ level: 'ERROR', message: 'a turn failed', messageId: 'm-1' });
  });

  it('settles each ticket of an event by itself', async () => {
    const { service, log, download, receive } = await createWorker();
    const origin = await startFileOrigin();
    await submit(service, [origin.file(1)]);
    const message = await receive();
    // Each turn hides its ticket and then reads the batch: the second of these reads is the fourth call.
    const work = createWorkerHandler({ ...dyingAt(service, 4, 'before').service, download }, log);
    const unknown: Ticket = { batchId: NO_BATCH, shard: 0 };

    const answer = await work(sqsEvent({ body: JSON.stringify(unknown) }, message), invocation(15 * MINUTE));
    expect(answer).toEqual({ batchItemFailures: [{ itemIdentifier: message.messageId }] });
  });

  it('is done with the ticket of a batch that is not there', async () => {
    const { work, logged } = await createWorker();
    const body = JSON.stringify({ batchId: NO_BATCH, shard: 0 });
    expect(await work(sqsEvent({ body }), invocation(15 * MINUTE))).toEqual({ batchItemFailures: [] });
    expect(logged()).toBe('');
  });

  it.each([
    'no s3cr3t JSON',
    'null',
    '{}',
    '{"batchId":"s3cr3t","shard":0}',
    '{"batchId":"01890a5d-ac96-774b-bcce-b302099a8057","shard":-1}',
    '{"batchId":"01890a5d-ac96-774b-bcce-b302099a8057","shard":"0"}',
    '{"batchId":"01890a5d-ac96-774b-bcce-b302099a8057","shard":0,"helper":"s3cr3t"}',
  ])('drops a message that is no ticket, which would come back for ever: %s', async (body) => {
    const { work, logged } = await createWorker();
    expect(await work(sqsEvent({ body, messageId: 'm-1' }), invocation(15 * MINUTE))).toEqual({
      batchItemFailures: [],
    });
    expect(JSON.parse(logged())).toMatchObject({ level: 'WARN', messageId: 'm-1' });
    expect(logged()).not.toContain('s3cr3t');
  });
});
