import { expect, test } from 'vitest';
import { readOutcomes } from '../../../core/batch/results.ts';
import { createCrew } from '../../helpers/crew.ts';
import { freshTurn } from '../../helpers/fresh-turn.ts';
import { createMemoryStore } from '../../helpers/memory-store.ts';
import { file } from '../../helpers/origin-answers.ts';
import { startOrigin, type Answer } from '../../helpers/origin.ts';
import { shardOf } from '../../unit/batch/outcomes.ts';
import { createService, submit } from '../../unit/batch/service.ts';

const FILES = 20;
/** Of a source, from request to answer, and of a store, from its call to its answer. */
const SOURCE_MS = 200;
const NEVER = new AbortController().signal;

/** Works files of a source that is asked once at a time, into a store that takes so long; times are driven. */
async function work(storeMs: number): Promise<{ ms: number; storing: number; open: number }> {
  const most = { storing: 0, open: 0 };
  let [storing, open] = [0, 0];
  await using crew = createCrew({
    limits: { connectionsPerShard: 1, connectionsPerMixedShard: 1 },
    wrap: (parts) => ({
      ...parts,
      files: {
        ...parts.files,
        async put(...call) {
          most.storing = Math.max(most.storing, ++storing);
          await crew.hold(NEVER, storeMs);
          await parts.files.put(...call);
          storing -= 1;
        },
      },
    }),
  });
  const answer: Answer = async ({ request, response }) => {
    most.open = Math.max(most.open, ++open);
    await crew.hold(NEVER, SOURCE_MS);
    open -= 1;
    response.end(request.url);
  };
  const paths = Array.from({ length: FILES }, (_, i) => `/${i}.bin`);
  const origin = await startOrigin(Object.fromEntries(paths.map((path) => [path, answer])));
  const id = await crew.submit(
    paths.map((path) => origin.url(path)),
    { connectionsPerHost: 1 },
  );
  const ms = await crew.finish();
  expect((await crew.outcomes(id)).map(({ state }) => state)).toEqual(paths.map(() => 'done'));
  await origin.stop();
  return { ms, ...most };
}

test('a source is asked for the next file while the one before is stored', async () => {
  const { ms, open } = await work(150);
  expect(open).toBe(1);
  expect(ms).toBeLessThan(FILES * SOURCE_MS + 1000);
});

test('no more is fetched ahead of a slow store than there are connections', async () => {
  const { ms, storing } = await work(1000);
  expect(storing).toBe(2);
  expect(ms).toBeGreaterThan((FILES / 2) * 1000);
});

test('a worker that is told to stop stores what it has, so that nobody asks for it again', async () => {
  const origin = await startOrigin({ '/a': file('a') });
  const [begun, storable] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
  const store = createMemoryStore();
  const files: typeof store = {
    ...store,
    async put(...call) {
      begun.resolve(undefined);
      await storable.promise;
      return store.put(...call);
    },
  };
  const service = { ...(await createService()), files };
  const id = await submit(service, [origin.url('/a')]);
  const host = new AbortController();
  const turn = freshTurn(service, {}, { turnMs: 3_600_000, stop: host.signal });
  await begun.promise;
  host.abort(new Error('The host goes down.'));
  storable.resolve(undefined);
  await turn;
  const outcomes = await Array.fromAsync(readOutcomes(service.state, await shardOf(service, id, 0)));
  expect(outcomes).toMatchObject([{ state: 'done', attempts: 1 }]);
  expect(origin.requests).toHaveLength(1);
});
