import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { benchmarks } from '../../../bench/benchmarks.ts';
import type { CaseResult } from '../../../bench/harness/play.ts';
import { fileName } from '../../../bench/sources/content.ts';
import { checkFiles, writeFiles } from '../../../bench/sources/files.ts';
import { tempFolder } from '../../helpers/temp-folder.ts';

const RUN = fileURLToPath(new URL('../../../bench/run.ts', import.meta.url));

function startBench(args: readonly string[], temp: string) {
  const child = spawn(process.execPath, [RUN, ...args], {
    env: { ...process.env, TMPDIR: temp },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  onTestFinished(async () => {
    child.kill('SIGTERM');
    await exited;
  });
  return { child, exited };
}

/** Of our own: Node, too, keeps something there. */
async function leftIn(temp: string): Promise<string[]> {
  return (await readdir(temp)).filter((name) => name.startsWith('downburst-'));
}

it('every benchmark ends at its tiny size, with right files from each contestant that is installed', async () => {
  const temp = await tempFolder();
  const json = join(await tempFolder(), 'results.json');
  const names = benchmarks.map(({ name }) => name);
  const { child, exited } = startBench([...names, '--tiny', '--json', json], temp);
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  expect(await exited, output + errors).toEqual([0, null]);
  const { results } = JSON.parse(await readFile(json, 'utf8')) as { results: CaseResult[] };
  expect([...new Set(results.map(({ benchmark }) => benchmark))]).toEqual(names);
  for (const { title, rows } of results) {
    expect(rows[0], title).toMatchObject({ state: 'played' });
    for (const { contestant, state, rounds } of rows) {
      expect(rounds, contestant).toHaveLength(state === 'played' ? 1 : 0);
      expect(output).toMatch(new RegExp(`^${contestant} .*(\\d|–|not installed)$`, 'm'));
    }
  }
  expect(await leftIn(temp)).toEqual([]);
});

it('an interrupted benchmark ends at once and leaves nothing behind', async () => {
  const temp = await tempFolder();
  const { child, exited } = startBench(['polite', '--tiny', '--rounds', '1000'], temp);
  await once(child.stderr, 'data'); // the first round
  child.kill('SIGINT');
  expect(await exited).toEqual([130, null]);
  expect(await leftIn(temp)).toEqual([]);
});

it('a contestant that brought too few, torn or wrong files is found out', async () => {
  const folder = await tempFolder();
  const files = { count: 3, bytes: 1000 };
  await writeFiles(folder, files);
  await checkFiles(folder, files);

  const last = join(folder, fileName(2));
  await truncate(last, 999);
  await expect(checkFiles(folder, files)).rejects.toThrow('has 999 bytes instead of 1000');
  await writeFile(last, Buffer.alloc(1000));
  await expect(checkFiles(folder, files)).rejects.toThrow('f0000002.bin is wrong after byte 0');
  await rm(last);
  await expect(checkFiles(folder, files)).rejects.toThrow('1 of 3 files are missing');
  await writeFile(`${last}.aria2`, '');
  await expect(checkFiles(folder, files)).rejects.toThrow('f0000002.bin.aria2 is none of the files');
});
