/**
 * SQS is fauxqs here, whose time is driven: it asks `Date.now`. It does not give a standard queue's MessageGroupId
 * back and takes every ticket of a batch or none, so that groups are looked at where they go on the wire, and partly
 * failed batches are answers put there.
 */
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createSqsTickets } from '../../adapters/aws/sqs-tickets.ts';
import { createWire } from '../helpers/aws-wire.ts';
import { startAws } from '../helpers/aws.ts';
import { createManualClock } from '../helpers/manual-clock.ts';
import { describeTickets } from './tickets-contract.ts';

async function startTickets() {
  const clock = createManualClock(Date.now());
  const now = vi.spyOn(Date, 'now').mockImplementation(() => clock.now());
  onTestFinished(() => now.mockRestore());
  const aws = await startAws();
  const wire = createWire();
  const { sqs } = wire.attach(aws.createClients());
  const tickets = createSqsTickets(sqs, aws.config.queueUrl, clock);
  return { ...aws, wire, clock, tickets, advance: (ms: number) => clock.advance(ms) };
}

interface Entry {
  Id: string;
  MessageBody: string;
  MessageGroupId: string;
}

const ticketsFor = (batchId: string, count: number) =>
  Array.from({ length: count }, (_, shard) => ({ batchId, shard }));

describeTickets('SQS', startTickets);

describe('sending', () => {
  test('ten tickets go into a call, each in the group of its batch', async () => {
    const { tickets, wire } = await startTickets();
    await tickets.send([...ticketsFor('a', 13), ...ticketsFor('b', 12)]);
    const calls = wire.calls.map(({ input }) => input.Entries as Entry[]);
    expect(calls.map((entries) => entries.length)).toEqual([10, 10, 5]);
    for (const { MessageBody, MessageGroupId } of calls.flat()) {
      expect(MessageGroupId).toBe((JSON.parse(MessageBody) as { batchId: string }).batchId);
    }
  });

  test('a thousand tickets all arrive', async () => {
    const { tickets, inspectQueue } = await startTickets();
    await tickets.send(ticketsFor('a', 1000));
    const { ready } = await inspectQueue();
    expect(new Set(ready.map(({ body }) => body)).size).toBe(1000);
  });

  test('what SQS did not take is sent again after a pause, and nothing else', async () => {
    const { tickets, wire, clock, inspectQueue } = await startTickets();
    wire.fault = ({ input }) => {
      const entries = input.Entries as Entry[];
      return entries.length === 3 ? partlyTaken(entries, ['1', '2']) : undefined;
    };
    const sent = tickets.send(ticketsFor('a', 3));
    const startedAt = clock.now();
    await drive(clock, sent);
    expect(clock.now()).toBeGreaterThan(startedAt);
    const bodies = wire.calls.map(({ input }) => (input.Entries as Entry[]).map(({ Id }) => Id));
    expect(bodies).toEqual([
      ['0', '1', '2'],
      ['1', '2'],
    ]);
    expect((await inspectQueue()).ready).toHaveLength(2);
  });

  test('what SQS never takes is an error that says why', async () => {
    const { tickets, wire, clock } = await startTickets();
    wire.fault = ({ input }) => {
      const entries = input.Entries as Entry[];
      return partlyTaken(entries, [entries[0]?.Id ?? '']);
    };
    const sent = tickets.send(ticketsFor('a', 2));
    await expect(drive(clock, sent)).rejects.toThrow('InternalError');
    expect(wire.calls).toHaveLength(5);
  });

  test('a call that fails does not return before the others have ended', async () => {
    const { tickets, wire } = await startTickets();
    wire.fault = ({ input }) => {
      const first = (input.Entries as Entry[])[0]?.MessageBody;
      return first === '{"batchId":"a","shard":0}' ? refusal('AccessDeniedException') : undefined;
    };
    await expect(tickets.send(ticketsFor('a', 95))).rejects.toMatchObject({ name: 'AccessDeniedException' });
    expect(wire.underWay).toBe(0);
  });

  test('tickets whose answer was lost are sent twice, not lost', async () => {
    const { tickets, wire, inspectQueue } = await startTickets();
    wire.fault = ({ attempts }) => (attempts.length === 1 ? 'lose answer' : undefined);
    await tickets.send(ticketsFor('a', 2));
    expect((await inspectQueue()).ready).toHaveLength(4);
  });
});

describe('visibility', () => {
  test('milliseconds become whole seconds, never fewer', async () => {
    const { tickets, wire } = await startTickets();
    await tickets.send(ticketsFor('a', 1));
    const [delivery] = await tickets.receive(1, 74_001);
    for (const ms of [900_000, 1001, 1000, 999, 1, 0]) await tickets.changeVisibility(delivery?.receipt ?? '', ms);
    const seconds = wire.calls.flatMap(({ input }) => input.VisibilityTimeout ?? []);
    expect(seconds).toEqual([75, 900, 2, 1, 1, 1, 0]);
  });

  test('no wait is longer than SQS takes, counted from the receive of a worker at its end', async () => {
    const { tickets, wire } = await startTickets();
    await tickets.send(ticketsFor('a', 1));
    const [delivery] = await tickets.receive(1, 60_000);
    await tickets.changeVisibility(delivery?.receipt ?? '', 24 * 60 * 60 * 1000);
    expect(wire.calls.at(-1)?.input.VisibilityTimeout).toBe(43_200 - 900);
  });
});

describe('receipts that are no longer good', () => {
  test('changing the visibility of an acknowledged ticket is no error', async () => {
    const { tickets } = await startTickets();
    await tickets.send(ticketsFor('a', 1));
    const [delivery] = await tickets.receive(1, 60_000);
    await tickets.acknowledge(delivery?.receipt ?? '');
    await tickets.changeVisibility(delivery?.receipt ?? '', 60_000);
  });

  test.each(['InvalidParameterValue', 'ReceiptHandleIsInvalid', 'AWS.SimpleQueueService.MessageNotInflight'])(
    'SQS calls one %s, which is no error either',
    async (code) => {
      const { tickets, wire } = await startTickets();
      wire.fault = () => refusal(code);
      await tickets.changeVisibility('receipt', 1000);
      await tickets.acknowledge('receipt');
    },
  );

  test('what else SQS says is an error', async () => {
    const { tickets, wire } = await startTickets();
    wire.fault = () => refusal('AccessDeniedException');
    await expect(tickets.changeVisibility('receipt', 1000)).rejects.toThrow();
    await expect(tickets.acknowledge('receipt')).rejects.toThrow();
    await expect(tickets.hasVisible()).rejects.toThrow();
  });
});

/** Lets time pass until a call has ended. */
async function drive<T>(clock: ReturnType<typeof createManualClock>, call: Promise<T>): Promise<T> {
  const state = { ended: false };
  const end = () => (state.ended = true);
  call.then(end, end);
  while (!state.ended) {
    await setImmediate();
    const due = clock.nextDue();
    if (due !== undefined) await clock.advanceTo(due);
  }
  return call;
}

/** The answer to a batch of which SQS took all but some entries. */
function partlyTaken(entries: readonly Entry[], failed: readonly string[]) {
  const Successful = entries
    .filter(({ Id }) => !failed.includes(Id))
    .map(({ Id, MessageBody }) => {
      return { Id, MessageId: `m${Id}`, MD5OfMessageBody: createHash('md5').update(MessageBody).digest('hex') };
    });
  const Failed = failed.map((Id) => ({ Id, Code: 'InternalError', SenderFault: false }));
  return { status: 200, body: JSON.stringify({ Successful, Failed }) };
}

function refusal(code: string) {
  return {
    status: 400,
    body: JSON.stringify({ __type: `com.amazonaws.sqs#${code.split('.').at(-1) ?? ''}`, message: code }),
    headers: { 'x-amzn-query-error': `${code};Sender` },
  };
}
