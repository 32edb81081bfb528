/**
 * How large each function's bundle is, and how long a process of it takes from its start to its first answer, under the
 * Runtime API and against emulators, beside a function that does nothing, in the same rounds.
 *
 *     node bench/cold-start.ts [rounds]
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClients } from '../adapters/aws/clients.ts';
import { httpEvent, scheduledEvent, sqsEvent } from '../test/helpers/lambda-events.ts';
import { build, type Bundle } from '../test/infra/bundles.ts';
import { startInstance } from '../test/infra/instance.ts';
import { startEmulators } from './emulators.ts';

const MAX_BUNDLE_BYTES = 1_500_000;
const NO_BATCH = '01890a5d-ac96-774b-bcce-b302099a8057';

/** What each is asked first: the least that makes it ask its stores. */
const EVENTS: Record<string, unknown> = {
  api: httpEvent({ method: 'POST', path: `/batches/${NO_BATCH}/cancel` }),
  status: httpEvent({ path: `/batches/${NO_BATCH}` }),
  planner: { batchId: NO_BATCH },
  worker: sqsEvent({ body: JSON.stringify({ batchId: NO_BATCH, shard: 0 }) }),
  sweeper: scheduledEvent(),
};
const NOTHING = 'a function that does nothing';

const rounds = Number(process.argv[2] ?? 9);
const folder = await mkdtemp(join(tmpdir(), 'downburst-bench-'));
try {
  await measure();
} finally {
  await rm(folder, { recursive: true });
}

async function measure(): Promise<void> {
  const { bundles } = await build(folder);
  const emulators = await startEmulators(createClients);
  const functions = new Map<string, Pick<Bundle, 'folder' | 'handler'>>([[NOTHING, await emptyFunction()], ...bundles]);
  const times = new Map([...functions.keys()].map((name) => [name, [] as number[]]));
  // Round by round, so that a busy moment of the machine is everybody's.
  for (let round = 0; round < rounds; round++) {
    for (const [name, bundle] of functions) times.get(name)?.push(await coldStart(bundle, EVENTS[name], emulators.env));
  }
  await emulators.close();

  const middle = (name: string) => median(times.get(name) ?? []);
  console.log(`${NOTHING}: ${middle(NOTHING).toFixed(0)} ms, median of ${rounds}`);
  for (const [name, { bytes, gzippedBytes }] of bundles) {
    const size = `${(bytes / 1000).toFixed(0)} KB, gzipped ${(gzippedBytes / 1000).toFixed(0)} KB`;
    const ratio = (middle(name) / middle(NOTHING)).toFixed(1);
    console.log(`${name}: ${size}; first answer after ${middle(name).toFixed(0)} ms, ${ratio} × nothing`);
    if (bytes > MAX_BUNDLE_BYTES) process.exitCode = 1;
  }
}

async function emptyFunction(): Promise<Pick<Bundle, 'folder' | 'handler'>> {
  await writeFile(join(folder, 'empty.mjs'), 'export const handler = async () => null;\n');
  return { folder, handler: 'empty.handler' };
}

/** Milliseconds from the start of a process to its first answer. */
async function coldStart(
  bundle: Pick<Bundle, 'folder' | 'handler'>,
  event: unknown = {},
  env: Record<string, string>,
): Promise<number> {
  const from = performance.now();
  const instance = await startInstance(bundle, { ...env, NODE_OPTIONS: '--enable-source-maps' });
  const outcome = await instance.invoke(event);
  const ms = performance.now() - from;
  const log = await instance.end();
  if ('error' in outcome) throw new Error(`It answered with an error:\n${log}`);
  return ms;
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}
