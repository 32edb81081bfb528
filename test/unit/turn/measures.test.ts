import { describe, expect, it } from 'vitest';
import type { Meter } from '../../../core/ports/meter.ts';
import { createCheckpointer } from '../../../core/turn/checkpoint.ts';
import { emptyWaitingList } from '../../../core/turn/waiting.ts';
import { changeShard, outcome, shardOf } from '../batch/outcomes.ts';
import { createService, submit, urlsOf } from '../batch/service.ts';

const MINUTE = 60_000;

/** The checkpoints of a turn that has just taken its lease, and what they are measured by. */
async function createTurn() {
  const service = await createService();
  const id = await submit(service, urlsOf(4));
  const leaseUntil = service.clock.now() + MINUTE;
  await changeShard(service, id, 0, { owner: { ticket: 't', turn: 'u' }, epoch: 1, leaseUntil });
  const measured: Parameters<Meter>[] = [];
  const checkpoints = createCheckpointer(
    { ...service, meter: (...measure) => void measured.push(measure) },
    await shardOf(service, id, 0),
  );
  return { service, id, checkpoints, measured };
}

const list = emptyWaitingList();
const outcomes = [outcome(0, 'done'), outcome(1, 'failed'), outcome(2, 'failed'), outcome(3, 'skipped')];
const release = { wakeAt: 0, ticketed: false, finished: true, cancelled: false, abroad: false };

describe('what a turn measures', () => {
  it('is what its checkpoints have landed, once', async () => {
    const { checkpoints, measured } = await createTurn();
    expect(await checkpoints.write({ outcomes, cursor: 10, list })).toBe(true);
    expect(measured).toEqual([
      ['Checkpoints', 1],
      ['FilesStored', 1],
      ['BytesStored', 10],
      ['FilesFailed', 2, 'NOT_FOUND'],
    ]);
    expect(await checkpoints.write({ outcomes: [], cursor: 10, list })).toBe(true);
    expect(measured.slice(4)).toEqual([['Checkpoints', 1]]);
  });

  it('is a lost lease, once, and nothing of what did not land', async () => {
    const { service, id, checkpoints, measured } = await createTurn();
    await changeShard(service, id, 0, { epoch: 2 });
    expect(await checkpoints.write({ outcomes, cursor: 10, list })).toBe(false);
    expect(checkpoints.isFenced()).toBe(true);
    expect(measured).toEqual([['LeasesLost', 1]]);
    expect(service.warned).toEqual([
      { message: 'a turn lost its lease', details: { batchId: id, shard: 0, epoch: 1 } },
    ]);
  });

  it('is no lost lease where it was given back', async () => {
    const { service, checkpoints, measured } = await createTurn();
    expect(await checkpoints.write({ outcomes, cursor: 10, list }, release)).toBe(true);
    await service.clock.advance(2 * MINUTE);
    expect(checkpoints.isFenced()).toBe(true);
    expect(measured.map(([metric]) => metric)).not.toContain('LeasesLost');
    expect(service.warned).toEqual([]);
  });
});
