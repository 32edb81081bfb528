import { expect, test } from 'vitest';
import { createCrew } from '../../helpers/crew.ts';
import { startOrigin, type Answer } from '../../helpers/origin.ts';

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
