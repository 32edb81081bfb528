import { expect, test } from 'vitest';
import { cancelBatch } from '../../../core/batch/control.ts';
import { readOutcomes } from '../../../core/batch/results.ts';
import type { Outcome } from '../../../core/model/outcome.ts';
import type { WaitingList } from '../../../core/turn/waiting.ts';
import { freshTurn } from '../../helpers/fresh-turn.ts';
import { createMemoryStore } from '../../helpers/memory-store.ts';
import { inTurn, status } from '../../helpers/origin-answers.ts';
import { startOrigin, type Answer } from '../../helpers/origin.ts';
import { until } from '../../helpers/until.ts';
import { rangeStart, serve, version } from '../../helpers/versions.ts';
import { changeShard, shardOf } from '../../unit/batch/outcomes.ts';
import { createService, submit } from '../../unit/batch/service.ts';

const PART_BYTES = 16;
const FILE = version('A', 100);
const HOUR = 3_600_000;

/** Sends the file's beginning and stops for good. */
const stalled: Answer = ({ response }) => {
  response.writeHead(200, { etag: FILE.etag, 'content-length': FILE.body.length }).write(FILE.body.subarray(0, 70));
};

/** A batch of one file, from a source that answers so, and workers that turn at it. */
async function startBatch(answers: [Answer, ...Answer[]], options: object = {}) {
  const origin = await startOrigin({ '/a': inTurn(...answers) });
  const files = createMemoryStore();
  // The longest pauses: a turn does not wait for a retry, but ends.
  const service = { ...(await createService()), files, random: () => 1 - Number.EPSILON };
  const { clock } = service;
  const id = await submit(service, [origin.url('/a')], { options });

  const turn = (ledger = service.ledger) =>
    freshTurn({ ...service, ledger }, { leastPartBytes: PART_BYTES }, { turnMs: HOUR, stop: stop.signal });

  let stop = new AbortController();
  return {
    origin,
    files,
    service,
    id,
    turn,
    /** The running turn is told to stop, later ones are not. */
    stop(): void {
      stop.abort(new Error('The host goes down.'));
      stop = new AbortController();
    },
    async finish(): Promise<Outcome> {
      while ((await service.ledger.getBatch(id))?.closedAt === undefined) {
        if (!(await turn())) await clock.advance(60_000);
      }
      const [outcome] = await Array.fromAsync(readOutcomes(service.state, await shardOf(service, id, 0)));
      if (!outcome) throw new Error('no outcome');
      return outcome;
    },
    async waiting(): Promise<WaitingList['entries']> {
      const { waiting } = await shardOf(service, id, 0);
      const body = waiting === undefined ? undefined : await service.state.get(waiting);
      return body ? (JSON.parse(String(body)) as WaitingList).entries : [];
    },
    starts: () => origin.requests.map(({ headers }) => rangeStart(headers)),
  };
}

test('a file that breaks off is finished by another worker from its last whole part', async () => {
  const batch = await startBatch([serve(FILE, 70), serve(FILE)]);
  const outcome = await batch.finish();
  expect(outcome).toMatchObject({ state: 'done', bytes: 100, attempts: 2, httpStatus: 206 });
  expect(outcome.sha256).toBeUndefined();
  expect(batch.starts()).toEqual([undefined, 64]);
  expect(batch.files.objects.get(`${batch.id}/${outcome.key}`)?.body.equals(FILE.body)).toBe(true);
  expect(batch.files.calls).toMatchObject({ createUpload: 1, completeUpload: 1, abortUpload: 0 });
});

test('a file over a line that breaks again and again is done in the end, however few attempts it has', async () => {
  const breaks = [20, 40, 60, 80].map((cut) => serve(FILE, cut)) as [Answer, ...Answer[]];
  const batch = await startBatch([...breaks, serve(FILE)], { maxAttempts: 1 });
  expect(await batch.finish()).toMatchObject({ state: 'done', attempts: 5 });
  expect(batch.starts()).toEqual([undefined, 16, 32, 48, 64]);
});

test('attempts that get no further than those before them are charged, also those of new versions', async () => {
  let n = 0;
  const anew: Answer = (visit) => serve(version(`v${++n}`, 100), 40)(visit);
  const batch = await startBatch([anew], { maxAttempts: 3 });
  expect(await batch.finish()).toMatchObject({ state: 'failed', code: 'TRUNCATED', attempts: 4 });
  expect(batch.files.openUploads).toBe(0);
  expect(batch.files.objects.size).toBe(0);
});

test('a turn that is told to stop leaves what has landed to the next', async () => {
  const batch = await startBatch([stalled, serve(FILE)]);
  const first = batch.turn();
  await until(() => batch.files.calls.putPart === 4);
  batch.stop();
  expect(await first).toBe('keep');
  expect(await batch.waiting()).toMatchObject([{ partial: { etag: FILE.etag, parts: { length: 4 } } }]);
  expect(await batch.finish()).toMatchObject({ state: 'done', attempts: 1 });
  expect(batch.starts()).toEqual([undefined, 64]);
  expect(batch.files.openUploads).toBe(0);
});

test.each([
  ['fails for good', status(404), {}, 'NOT_FOUND'],
  ['has used its attempts up', serve(FILE, 64), { maxAttempts: 1 }, 'CONNECTION_LOST'],
])('what has landed of a file that %s is given up', async (_, second, options, code) => {
  const batch = await startBatch([serve(FILE, 70), second], options);
  expect(await batch.finish()).toMatchObject({ state: 'failed', code, attempts: 2 });
  expect(batch.files.calls).toMatchObject({ createUpload: 1, abortUpload: 1 });
  expect(batch.files.openUploads).toBe(0);
});

test('so it is when the deadline passes', async () => {
  const batch = await startBatch([serve(FILE, 70)], { deadlineSeconds: 60 });
  await batch.turn();
  expect(batch.files.openUploads).toBe(1);
  await batch.service.clock.advance(60_000);
  expect(await batch.finish()).toMatchObject({ state: 'failed', code: 'DEADLINE', attempts: 1 });
  expect(batch.files.openUploads).toBe(0);
});

test('so it is when the batch is cancelled while the entry waits', async () => {
  const batch = await startBatch([serve(FILE, 70)]);
  await batch.turn();
  expect(batch.files.openUploads).toBe(1);
  await cancelBatch(batch.service, batch.id);
  expect(batch.files.openUploads).toBe(0);
  expect(await batch.service.ledger.getBatch(batch.id)).toMatchObject({ state: 'cancelled' });
});

test('so it is by the turn that meets the cancel', async () => {
  const batch = await startBatch([stalled]);
  const turn = batch.turn();
  await until(() => batch.files.calls.putPart === 4);
  await cancelBatch(batch.service, batch.id);
  expect(batch.files.openUploads).toBe(1);
  batch.stop();
  expect(await turn).toBe('acknowledge');
  expect(batch.files.openUploads).toBe(0);
});

test('with its lease a worker gives up only what no checkpoint has named', async () => {
  const batch = await startBatch([stalled]);
  const { ledger } = batch.service;
  const loseLease = async () => {
    const { epoch } = await shardOf(batch.service, batch.id, 0);
    await changeShard(batch.service, batch.id, 0, { epoch: epoch + 1, owner: undefined, leaseUntil: 0 });
    batch.stop(); // its last checkpoint is refused
  };
  const first = batch.turn(ledger);
  await until(() => batch.files.calls.putPart === 4);
  await loseLease();
  expect(await first).toBe('keep');
  expect(batch.files.openUploads).toBe(0);
  expect(await batch.waiting()).toEqual([]);

  await batch.service.clock.advance(80_000);
  const second = batch.turn(ledger);
  await until(() => batch.files.calls.putPart === 8);
  await batch.service.clock.advance(20_000);
  await until(async () => (await batch.waiting()).length === 1);
  await loseLease();
  expect(await second).toBe('keep');
  expect(batch.files.openUploads).toBe(1);
  expect(await batch.waiting()).toMatchObject([{ partial: { parts: { length: 4 } } }]);
});
