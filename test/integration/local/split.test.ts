import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { createSqliteLedger } from '../../../adapters/sqlite/ledger.ts';
import type { WaitingList } from '../../../core/turn/waiting.ts';
import { foldersIn, layout } from '../../../local/stores.ts';
import { startOrigin } from '../../helpers/origin.ts';
import { tempFolder } from '../../helpers/temp-folder.ts';
import { rangeOf, serve } from '../../helpers/versions.ts';
import { createRandom } from '../../simulation/random.ts';

const PART_BYTES = 4096;
const PARTS = 160;
const KILLS = 10;

/** Where the parts begin that the newest checkpoint names: the ledger says which that is, dead workers may have left others. */
async function checkpointed(folder: string): Promise<Set<number>> {
  const paths = layout(foldersIn(folder));
  const [id] = await readdir(join(paths.objects, 'batches')).catch(() => []);
  if (id === undefined) return new Set();
  using ledger = createSqliteLedger(paths.ledger);
  const { waiting } = (await ledger.getShard(id, 0)) ?? {};
  if (waiting === undefined) return new Set();
  const { entries } = JSON.parse(await readFile(join(paths.objects, waiting), 'utf8')) as WaitingList;
  const parts = entries.flatMap(({ partial }) => partial?.parts ?? []);
  return new Set(parts.map(({ number }) => (number - 1) * PART_BYTES));
}

test('kill -9 at ten random moments of a file that comes over several connections: it is whole, and nothing that a checkpoint named came twice', async () => {
  const random = createRandom(8);
  const body = randomBytes(PARTS * PART_BYTES - 100);
  const whole = serve({ body, etag: '"v1"' });
  let left = Infinity;
  let kill = () => undefined as unknown;
  const origin = await startOrigin({
    '/large.iso': async (visit) => {
      // Slow enough for the stream to leave something to the others.
      if (!rangeOf(visit.request.headers)) {
        visit.response.writeHead(200, { etag: '"v1"', 'accept-ranges': 'bytes', 'content-length': body.length });
        for (let at = 0; at < body.length && !visit.socket.destroyed; at += PART_BYTES) {
          await new Promise((resolve) => visit.response.write(body.subarray(at, at + PART_BYTES), resolve));
          for (let n = 0; n < 40; n++) await setImmediate();
        }
        visit.response.end();
        return;
      }
      if (left-- <= 0) kill();
      for (let n = 0; n < 10; n++) await setImmediate();
      await whole(visit);
    },
  });
  const folder = await tempFolder();
  const program = new URL('split-until-killed.ts', import.meta.url).pathname;

  for (let life = 0; life <= KILLS; life++) {
    const known = await checkpointed(folder);
    const before = origin.requests.length;
    left = life < KILLS ? 3 + Math.floor(random() * 20) : Infinity;
    const child = spawn(process.execPath, [program, folder, origin.url('/large.iso'), String(PART_BYTES)], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    kill = () => child.kill('SIGKILL');
    onTestFinished(() => void child.kill('SIGKILL'));
    const [code] = (await once(child, 'exit')) as [number | null];
    if (life === KILLS) expect(code).toBe(0);
    for (const { headers } of origin.requests.slice(before)) {
      expect(known.has(rangeOf(headers)?.from ?? 0), `life ${life}: ${headers.range ?? 'the whole'}`).toBe(false);
    }
    if (code === 0) break;
  }

  const { files } = foldersIn(folder);
  const { temp } = layout(foldersIn(folder));
  const [id = ''] = await readdir(files);
  const [host = ''] = await readdir(join(files, id));
  expect((await readFile(join(files, id, host, 'large.iso'))).equals(body)).toBe(true);
  expect(await readdir(join(temp, 'files'))).toEqual([]);
  expect(left).toBe(Infinity); // it was killed as often as it was to be
});
