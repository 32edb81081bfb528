import { expect, test } from 'vitest';
import { createAwsStores } from '../../adapters/aws/stores.ts';
import { closeBatch } from '../../core/batch/close.ts';
import { readSummary } from '../../core/batch/summary.ts';
import type { PlanningService } from '../../core/batch/service.ts';
import { sweep } from '../../core/batch/sweep.ts';
import { startAws } from '../helpers/aws.ts';
import { outcome, settle } from '../unit/batch/outcomes.ts';
import { createService, submit, urlsOf } from '../unit/batch/service.ts';

test('a closed batch is an event with its summary on the default bus, told until the bus has taken it', async () => {
  const aws = await startAws();
  const { publish } = createAwsStores(aws.config, aws.clients);
  const tested = await createService();
  const service: PlanningService = { ...tested, announce: publish };
  const id = await submit(service, urlsOf(1), { name: 'cats' });
  await settle(service, id, 0, [outcome(1, 'done')], { finishedAt: service.clock.now() });

  aws.events.refuse(1);
  await expect(closeBatch(service, id)).rejects.toThrow('EventBridge did not take the event (InternalFailure).');
  expect(aws.events.published).toEqual([]);
  expect(await service.ledger.listOpen()).toEqual([id]);

  await sweep(service);
  expect(tested.warned).toEqual([]);
  expect(aws.events.published).toEqual([
    {
      Source: 'downburst',
      DetailType: 'Downburst Batch Finished',
      Detail: JSON.stringify(JSON.parse(await readSummary(service, id))),
      Time: service.clock.now() / 1000,
    },
  ]);
  expect(await service.ledger.listOpen()).toEqual([]);
});
