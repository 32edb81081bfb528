import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { tempFolder } from '../../helpers/temp-folder.ts';

const BENCH = fileURLToPath(new URL('../../../bench/million.ts', import.meta.url));

it('a batch of the benchmark of a million, here of two thousand, is begun, paused, resumed and cancelled', async () => {
  // Slow enough that there is something left to be cancelled.
  const child = spawn(process.execPath, [BENCH, '2000', '--pace', '40'], {
    env: { ...process.env, TMPDIR: await tempFolder() },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  onTestFinished(async () => {
    child.kill('SIGTERM');
    await exited;
  });
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  expect(await exited, errors).toEqual([0, null]);
  expect(output).toMatch(/^embedded: 2,000 entries, 2 hosts$/m);
  expect(output).toMatch(/cancelled; after \d\.\d s nothing was in flight any more$/m);
  expect(output).toMatch(/^passed$/m);
});
