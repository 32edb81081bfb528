import { describe, expect, it } from 'vitest';
import { PLANNING_STALE_MS } from '../../../core/model/limits.ts';
import { createPlannerHandler } from '../../../lambdas/planner.ts';
import { createSweeperHandler } from '../../../lambdas/sweeper.ts';
import { createTestLog } from '../../helpers/log.ts';
import { createService, dyingAt, submit, takeTickets, untilDead, urlsOf, type TestService } from '../batch/service.ts';

/** A batch whose planner died after it had written the batch's record. */
async function createHalfPlanned(service: TestService): Promise<string> {
  const doomed = dyingAt(service, 1 + (await callsUntil('ledger.createBatch')), 'before');
  await untilDead(submit(doomed.service, urlsOf(3)));
  const [id] = await service.ledger.listOpen();
  if (id === undefined) throw new Error('No batch was written.');
  return id;
}

/** How many calls a submission makes until this one is over. */
async function callsUntil(name: string): Promise<number> {
  const { service, calls } = dyingAt(await createService(), Infinity, 'before');
  await submit(service, urlsOf(3));
  return calls.indexOf(name) + 1;
}

describe('the planner', () => {
  it('brings a batch to its start whose planning stopped half-way', async () => {
    const service = await createService();
    const batchId = await createHalfPlanned(service);
    expect(await service.ledger.getBatch(batchId)).toMatchObject({ state: 'planning' });

    await createPlannerHandler(service, createTestLog().log)({ batchId });
    expect(await service.ledger.getBatch(batchId)).toMatchObject({ state: 'running' });
    expect(await takeTickets(service)).toEqual([{ batchId, shard: 0 }]);
  });

  it('leaves a batch alone that is not planned, and fails for an event that names none', async () => {
    const service = await createService();
    const plan = createPlannerHandler(service, createTestLog().log);
    await plan({ batchId: '01890a5d-ac96-774b-bcce-b302099a8057' });
    const running = await submit(service, urlsOf(3));
    const before = await service.ledger.readBatch(running);
    await plan({ batchId: running });
    expect(await service.ledger.readBatch(running)).toEqual(before);
    await expect(plan({ batch: 'x' })).rejects.toThrow('batchId');
  });
});

describe('the sweeper', () => {
  it('brings stale planning on by itself', async () => {
    const service = await createService();
    const batchId = await createHalfPlanned(service);
    const sweep = createSweeperHandler(service);
    await sweep();
    expect(await takeTickets(service)).toEqual([]);

    await service.clock.advance(PLANNING_STALE_MS + 1);
    await sweep();
    expect(await takeTickets(service)).toEqual([{ batchId, shard: 0 }]);
  });

  it('fails when it cannot see the open batches, so that the operator learns of it', async () => {
    const { service } = dyingAt(await createService(), 1, 'before');
    await expect(createSweeperHandler(service)()).rejects.toThrow();
  });
});
