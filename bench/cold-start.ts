import { addAbortListener } from 'node:events';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createClients } from '../adapters/aws/clients.ts';
import { httpEvent, scheduledEvent, sqsEvent } from '../test/helpers/lambda-events.ts';
import { build, type Bundle } from '../test/infra/bundles.ts';
import { startInstance } from '../test/infra/instance.ts';
import type { Outcome } from '../test/infra/runtime-api.ts';
import { startEmulators } from './emulators.ts';
import type { Aim, Benchmark, Contestant } from './harness/benchmark.ts';

const MAX_BUNDLE_KB = 1500;
const NO_BATCH = '01890a5d-ac96-774b-bcce-b302099a8057';
/** How the bundle's size is called in the table. */
const SIZE = 'KB';

/** What each function is asked first: the least that makes it ask its stores. */
const EVENTS: Record<string, unknown> = {
  api: httpEvent({ method: 'POST', path: `/batches/${NO_BATCH}/cancel` }),
  status: httpEvent({ path: `/batches/${NO_BATCH}` }),
  planner: { batchId: NO_BATCH },
  worker: sqsEvent({ body: JSON.stringify({ batchId: NO_BATCH, shard: 0 }) }),
  sweeper: scheduledEvent(),
};

type Package = Pick<Bundle, 'folder' | 'handler'>;

export const coldStart: Benchmark = {
  name: 'cold-start',
  about: "From the start of each built function's process to its first answer, beside one that does nothing.",
  rounds: 9,
  async *cases({ memoryFolder, size }) {
    const folder = join(memoryFolder, 'functions');
    await mkdir(folder);
    const emulators = await startEmulators(createClients);
    try {
      const { bundles } = await build(folder);
      const chosen = [...bundles].slice(0, size === 'full' ? undefined : 1);
      yield {
        title: 'the first answer of each function',
        notes: ["under Lambda's Runtime API, against emulators in the benchmark's own process"],
        contestants: [
          contestant('nothing', await nothing(folder), emulators.env),
          ...chosen.map(([name, bundle]) => contestant(name, bundle, emulators.env, bundle.bytes)),
        ],
        aims: chosen.map(([name]): Aim => ({
          text: `KB of ${name}'s bundle`,
          measure: (of) => of(name)?.figures?.[SIZE],
          atMost: MAX_BUNDLE_KB,
        })),
      };
    } finally {
      await emulators.close();
      await rm(folder, { recursive: true });
    }
  },
};

async function nothing(folder: string): Promise<Package> {
  await writeFile(join(folder, 'empty.mjs'), 'export const handler = async () => null;\n');
  return { folder, handler: 'empty.handler' };
}

function contestant(name: string, bundle: Package, env: Record<string, string>, bytes = 0): Contestant {
  return {
    name,
    async play(signal) {
      const from = performance.now();
      const instance = await startInstance(bundle, { ...env, NODE_OPTIONS: '--enable-source-maps' });
      const interrupted = Promise.withResolvers<never>();
      const listener = addAbortListener(signal, () => interrupted.reject(signal.reason));
      let wallMs = NaN;
      let outcome: Outcome | undefined;
      let log = '';
      try {
        outcome = await Promise.race([instance.invoke(EVENTS[name] ?? {}), interrupted.promise]);
        wallMs = performance.now() - from;
      } finally {
        listener[Symbol.dispose]();
        log = await instance.end();
      }
      if ('error' in outcome) throw new Error(`It answered with an error:\n${log}`);
      return { wallMs, figures: { [SIZE]: bytes / 1000 } };
    },
  };
}
