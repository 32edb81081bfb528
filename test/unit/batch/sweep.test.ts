import { describe, expect, test } from 'vitest';
import { closeBatch } from '../../../core/batch/close.ts';
import { pauseBatch } from '../../../core/batch/control.ts';
import { batchStatus } from '../../../core/batch/status.ts';
import { recoverAfterRestart, sweep } from '../../../core/batch/sweep.ts';
import { planKey, secretsKey } from '../../../core/model/layout.ts';
import {
  LEASE_MS,
  PLANNING_STALE_MS,
  SPARE_TICKET_MS,
  STALLED_MS,
  TICKET_LOST_MS,
  TICKET_OVERDUE_MS,
} from '../../../core/model/limits.ts';
import { helperRecord, shardRecord } from '../../contract/records.ts';
import { changeShard, outcome, settle, shardOf } from './outcomes.ts';
import {
  createService,
  dyingAt,
  forEachDeath,
  submit,
  takeTickets,
  untilDead,
  urlsOf,
  type TestService,
} from './service.ts';

const MINUTE = 60_000;
const URLS = [...urlsOf(3, 'a.example'), ...urlsOf(2, 'b.example')];
const OWNER = { ticket: 't', turn: 'u' };

/** A running batch of two shards whose tickets are gone. */
async function createRunning(service: TestService, deadlineSeconds = 60 * 60 * 24): Promise<string> {
  const id = await submit(service, URLS, { options: { deadlineSeconds } });
  await takeTickets(service);
  return id;
}

/** The shards that the sweeper sends tickets to, now. */
async function swept(service: TestService): Promise<number[]> {
  await sweep(service);
  return (await takeTickets(service)).map(({ shard }) => shard);
}

/** Keeps a ticket of another batch waiting in the queue. */
async function sendOther({ tickets }: TestService): Promise<void> {
  await tickets.send([{ batchId: 'other', shard: 0 }]);
}

describe('a shard gets a ticket from the sweeper', () => {
  test('as soon as a long wait is over, whatever else is in the queue', async () => {
    const service = await createService();
    const id = await createRunning(service);
    const wakeAt = service.clock.now() + 40 * MINUTE;
    await changeShard(service, id, 1, { wakeAt, ticketed: false });
    await service.clock.advanceTo(wakeAt - 1);
    await sendOther(service);
    expect(await swept(service)).not.toContain(1);

    await service.clock.advance(1);
    await sendOther(service);
    await sweep(service);
    expect(await takeTickets(service)).toContainEqual({ batchId: id, shard: 1 });
    // Once: from then on a ticket is in the queue.
    await service.clock.advance(MINUTE);
    expect(await swept(service)).not.toContain(1);
    expect((await shardOf(service, id, 1)).ticketed).toBe(true);
  });

  test('when its ticket should have come 15 minutes ago, and nothing is in the queue', async () => {
    const service = await createService();
    await createRunning(service);
    await service.clock.advance(TICKET_OVERDUE_MS);
    expect(await swept(service)).toEqual([]);
    await service.clock.advance(1);
    expect(await swept(service)).toEqual([0, 1]);
  });

  test('counted from when it was to wake', async () => {
    const service = await createService();
    const id = await createRunning(service);
    await changeShard(service, id, 0, { wakeAt: service.clock.now() + 10 * MINUTE });
    await service.clock.advance(TICKET_OVERDUE_MS + 1);
    expect(await swept(service)).toEqual([1]);
    await service.clock.advance(10 * MINUTE);
    expect(await swept(service)).toEqual([0]);
  });

  test('counted from the end of its lease, if its worker died', async () => {
    const service = await createService();
    const id = await createRunning(service);
    await service.clock.advance(TICKET_OVERDUE_MS);
    await changeShard(service, id, 0, { owner: OWNER, leaseUntil: service.clock.now() + LEASE_MS });
    await service.clock.advance(1);
    expect(await swept(service)).toEqual([1]);
    await service.clock.advance(LEASE_MS + TICKET_OVERDUE_MS - 1);
    expect(await swept(service)).toEqual([]);
    await service.clock.advance(1);
    expect(await swept(service)).toEqual([0]);
  });

  test('not while tickets wait in the queue: its own may be among them', async () => {
    const service = await createService();
    await createRunning(service);
    await service.clock.advance(TICKET_OVERDUE_MS + 1);
    await sendOther(service);
    expect(await swept(service)).toEqual([0]); // the other one
    expect(await swept(service)).toEqual([0, 1]);
  });

  test('after six hours even though tickets of others always wait', async () => {
    const service = await createService();
    const id = await createRunning(service);
    await sendOther(service);
    await service.clock.advance(TICKET_LOST_MS);
    await sweep(service);
    expect(await service.tickets.receive(9, 0)).toHaveLength(1);
    await service.clock.advance(1);
    await sweep(service);
    const shards = (await takeTickets(service)).filter(({ batchId }) => batchId === id).map(({ shard }) => shard);
    expect(shards).toEqual([0, 1]);
  });

  test('at most once an hour, as long as nothing comes of it', async () => {
    const service = await createService();
    await createRunning(service);
    await service.clock.advance(TICKET_OVERDUE_MS + 1);
    const sent: number[] = [];
    for (let minute = 0; minute <= 180; minute++) {
      if ((await swept(service)).length > 0) sent.push(minute);
      await service.clock.advance(MINUTE);
    }
    expect(sent).toEqual([0, 61, 122]);
    expect(SPARE_TICKET_MS).toBe(60 * MINUTE);
  });

  test('not while a worker holds it', async () => {
    const service = await createService();
    const id = await createRunning(service);
    await service.clock.advance(2 * TICKET_OVERDUE_MS);
    await changeShard(service, id, 0, { owner: OWNER, leaseUntil: service.clock.now() + 1, ticketed: false });
    expect(await swept(service)).toEqual([1]);
  });

  test('not when it is finished', async () => {
    const service = await createService();
    const id = await createRunning(service);
    await settle(service, id, 0, [], { finishedAt: service.clock.now(), ticketed: false });
    await service.clock.advance(2 * TICKET_OVERDUE_MS);
    expect(await swept(service)).toEqual([1]);
  });

  test('not while its batch is paused, but at the deadline all the same', async () => {
    const service = await createService();
    const id = await createRunning(service, 2 * 60 * 60);
    await changeShard(service, id, 0, { ticketed: false, wakeAt: service.clock.now() + 60 * 60 * MINUTE });
    await changeShard(service, id, 1, { ticketed: false });
    await pauseBatch(service, id);
    await service.clock.advance(2 * 60 * MINUTE - 1);
    expect(await swept(service)).toEqual([]);
    await service.clock.advance(1);
    expect(await swept(service)).toEqual([0, 1]);
  });

  test('even if the sweeper that marked it died before it sent one', async () => {
    await forEachDeath(async (die) => {
      const service = await createService();
      const id = await createRunning(service);
      await changeShard(service, id, 0, { ticketed: false });
      await untilDead(sweep(die(service).service));
      const sent = await takeTickets(service);
      if (sent.length === 0) {
        await service.clock.advance(TICKET_OVERDUE_MS + 1);
        expect(await swept(service)).toContain(0);
      }
    });
  });

  test("with a new epoch, so that no write of a frozen worker is taken for the sweeper's", async () => {
    const service = await createService();
    const id = await createRunning(service);
    await changeShard(service, id, 0, { owner: OWNER, leaseUntil: service.clock.now() + LEASE_MS, epoch: 5 });
    await service.clock.advance(LEASE_MS + TICKET_OVERDUE_MS + 1);
    expect(await swept(service)).toEqual([0, 1]);
    // Still owned: the next lease counts the crash.
    expect(await shardOf(service, id, 0)).toMatchObject({ epoch: 6, owner: OWNER });
  });

  test('but not by two sweepers', async () => {
    const service = await createService();
    await createRunning(service);
    await service.clock.advance(TICKET_OVERDUE_MS + 1);
    await Promise.all([sweep(service), sweep(service)]);
    expect(await takeTickets(service)).toHaveLength(2);
  });
});

describe('the sweeper', () => {
  test('looks at open batches only', async () => {
    const service = await createService();
    const id = await createRunning(service);
    await settle(service, id, 0, [outcome(1, 'done')], { finishedAt: 1 });
    await settle(service, id, 1, [outcome(4, 'done')], { finishedAt: 1 });
    await closeBatch(service, id);
    await service.clock.advance(2 * TICKET_OVERDUE_MS);
    const watched = dyingAt(service, Infinity, 'before');
    await sweep(watched.service);
    expect(watched.calls).toEqual(['ledger.listOpen']);
  });

  test('closes a batch whose last worker died before it could', async () => {
    const service = await createService();
    const id = await createRunning(service);
    for (const shard of [0, 1]) await settle(service, id, shard, [outcome(shard, 'done')], { finishedAt: 1 });
    await sweep(service);
    expect((await batchStatus(service, id)).state).toBe('finished');
  });

  test('closes a paused batch of which nothing is left', async () => {
    const service = await createService();
    const id = await createRunning(service);
    await pauseBatch(service, id);
    for (const shard of [0, 1]) await settle(service, id, shard, [outcome(shard, 'done')], { finishedAt: 1 });
    await sweep(service);
    expect((await batchStatus(service, id)).state).toBe('finished');
  });

  test('is done with a closed batch to which a late planner adds a shard', async () => {
    const service = await createService();
    const id = await createRunning(service);
    for (const shard of [0, 1]) await settle(service, id, shard, [outcome(shard, 'done')], { finishedAt: 1 });
    await untilDead(closeBatch(dyingAt(service, 8, 'after').service, id));
    expect((await batchStatus(service, id)).state).toBe('finished');
    expect(await service.ledger.listOpen()).toEqual([id]);
    await service.ledger.createShard(shardRecord(id, 2));
    await sweep(service);
    expect(await service.ledger.listOpen()).toEqual([]);
  });

  test('reports a batch without a checkpoint for half an hour, and no batch that waits on purpose', async () => {
    const service = await createService();
    const id = await createRunning(service);
    await service.clock.advance(STALLED_MS);
    await sweep(service);
    expect(service.warned).toEqual([]);
    await service.clock.advance(1);
    await sweep(service);
    expect(service.warned).toEqual([{ message: 'no checkpoint for 30 minutes', details: { batchId: id, shards: 2 } }]);
    await changeShard(service, id, 0, { wakeAt: service.clock.now() + 60 * MINUTE });
    await sweep(service);
    expect(service.warned).toHaveLength(1);
  });

  test('counts the tickets that were lost, and not those that end a long wait', async () => {
    const service = await createService();
    const id = await createRunning(service);
    const wakeAt = service.clock.now() + 1;
    await changeShard(service, id, 1, { wakeAt, ticketed: false });
    await service.clock.advanceTo(wakeAt);
    expect(await sweep(service)).toEqual({ lostTickets: 0, silentBatches: 0, failures: 0 });
    await takeTickets(service);
    await service.clock.advance(TICKET_OVERDUE_MS);
    expect(await sweep(service)).toEqual({ lostTickets: 1, silentBatches: 0, failures: 0 });
  });

  test('goes on with the other batches where one is in trouble', async () => {
    const service = await createService();
    await untilDead(submit(dyingAt(service, 5, 'after').service, URLS));
    const [broken = ''] = await service.ledger.listOpen();
    await service.state.delete(planKey(broken));
    const id = await createRunning(service);
    await service.clock.advance(PLANNING_STALE_MS + 1);
    expect(await swept(service)).toEqual([0, 1]);
    expect(service.warned).toEqual([
      { message: 'sweep failed', details: { batchId: broken, error: `Batch ${broken} has no plan.` } },
    ]);
    expect((await batchStatus(service, id)).state).toBe('running');
  });
});

describe('a host that starts again after all its workers died', () => {
  test('frees their shards without counting a crash, and sends every open shard a ticket', async () => {
    const service = await createService();
    const id = await createRunning(service);
    const held = { owner: OWNER, leaseUntil: service.clock.now() + LEASE_MS, epoch: 3, crashes: 0 };
    await changeShard(service, id, 0, held);
    await recoverAfterRestart(service);
    expect(await shardOf(service, id, 0)).toMatchObject({ epoch: 4, leaseUntil: 0, crashes: 0 });
    expect(await shardOf(service, id, 0)).not.toHaveProperty('owner');
    expect((await takeTickets(service)).map(({ shard }) => shard)).toEqual([0, 1]);
  });

  test('ends the helpers that died with the host, and leaves those that had ended as they are', async () => {
    const service = await createService();
    const id = await createRunning(service);
    const { ledger, clock } = service;
    const held = helperRecord(id, 'F1.1', { owner: OWNER, leaseUntil: clock.now() + LEASE_MS });
    const ended = helperRecord(id, 'F1.2', { endedAt: 1 });
    for (const helper of [held, ended]) await ledger.createHelper(helper);
    await changeShard(service, id, 0, { helpers: ['F1.1', 'F1.2', 'F1.3'] });
    await recoverAfterRestart(service);
    expect(await ledger.getHelper(id, 'F1.1')).toEqual({ ...held, rev: 2, endedAt: clock.now() });
    expect(await ledger.getHelper(id, 'F1.2')).toEqual(ended);
    expect(await ledger.getHelper(id, 'F1.3')).toBeUndefined();
  });

  test('leaves a paused batch at rest', async () => {
    const service = await createService();
    const id = await createRunning(service);
    await changeShard(service, id, 0, { owner: OWNER, leaseUntil: service.clock.now() + LEASE_MS });
    await pauseBatch(service, id);
    await recoverAfterRestart(service);
    expect(await takeTickets(service)).toEqual([]);
    expect(await batchStatus(service, id)).toMatchObject({ state: 'paused', shards: { working: 0 } });
  });

  test('ends a batch that was being cancelled', async () => {
    const service = await createService();
    const id = await createRunning(service);
    await changeShard(service, id, 0, { owner: OWNER, leaseUntil: service.clock.now() + LEASE_MS });
    const batch = await service.ledger.getBatch(id);
    if (!batch) throw new Error('There is no batch.');
    await service.ledger.replaceBatch({ ...batch, rev: batch.rev + 1, state: 'cancelling', cancelledAt: 1 });
    await recoverAfterRestart(service);
    expect(await batchStatus(service, id)).toMatchObject({ state: 'cancelled', cancelled: 5 });
  });

  test('closes a batch that was only to be closed', async () => {
    const service = await createService();
    const id = await createRunning(service);
    for (const shard of [0, 1]) await settle(service, id, shard, [outcome(shard, 'done')], { finishedAt: 1 });
    await recoverAfterRestart(service);
    expect((await batchStatus(service, id)).state).toBe('finished');
  });

  test('removes the secrets of a submission that died before there was a batch, and no others', async () => {
    const service = await createService();
    await service.state.put(secretsKey('0190a2b4-0000-7000-8000-000000000000'), Buffer.from('{}'));
    const id = await createRunning(service);
    await service.state.put(secretsKey(id), Buffer.from('{}'));
    await recoverAfterRestart(service);
    expect(await Array.fromAsync(service.state.list('secrets/'))).toEqual([secretsKey(id)]);
  });

  test('starts though one batch is in trouble', async () => {
    const service = await createService();
    await untilDead(submit(dyingAt(service, 5, 'after').service, URLS));
    const [broken = ''] = await service.ledger.listOpen();
    await service.state.delete(planKey(broken));
    await createRunning(service);
    await recoverAfterRestart(service);
    expect(await takeTickets(service)).toHaveLength(2);
    expect(service.warned).toMatchObject([{ message: 'recovery failed', details: { batchId: broken } }]);
  });

  test('brings everything on, though it dies and starts yet again, at whatever call', async () => {
    await forEachDeath(async (die) => {
      const service = await createService();
      const id = await createRunning(service);
      await changeShard(service, id, 0, { owner: OWNER, leaseUntil: service.clock.now() + LEASE_MS });
      await untilDead(submit(dyingAt(service, 7, 'after').service, URLS));
      await untilDead(recoverAfterRestart(die(service).service));
      await recoverAfterRestart(service);
      const tickets = await takeTickets(service);
      for (const open of await service.ledger.listOpen()) {
        expect((await batchStatus(service, open)).state).toBe('running');
        const shards = tickets.filter(({ batchId }) => batchId === open).map(({ shard }) => shard);
        expect(new Set(shards)).toEqual(new Set([0, 1]));
      }
      expect(await shardOf(service, id, 0)).not.toHaveProperty('owner');
      expect(await service.ledger.listOpen()).toHaveLength(2);
    });
  });
});
