import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished, vi } from 'vitest';
import { benchmarks } from '../../../bench/benchmarks.ts';
import { measureCommand } from '../../../bench/harness/measure.ts';
import type { CaseResult } from '../../../bench/harness/play.ts';
import { fileName } from '../../../bench/sources/content.ts';
import { checkFiles, writeFiles } from '../../../bench/sources/files.ts';
import { tempFolder } from '../../helpers/temp-folder.ts';

/** Where Linux has a file system in memory, of all users. */
const MEMORY = '/dev/shm';
const RUN = fileURLToPath(new URL('../../../bench/run.ts', import.meta.url));

interface Results {
  interrupted: boolean;
  results: CaseResult[];
}

function startBench(args: readonly string[], temp: string, env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [RUN, ...args], {
    env: { ...process.env, TMPDIR: temp, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // the leader of a process group, as a shell's job is
  });
  const exited = once(child, 'exit');
  onTestFinished(async () => {
    child.kill('SIGTERM');
    await exited;
  });
  return { child, exited };
}

/** What a run has left: where files go to disk, in which Node, too, keeps something; and in memory, which others use, too. */
async function leftOf({ pid }: ChildProcess, temp: string): Promise<string[]> {
  const onDisk = (await readdir(temp)).filter((name) => name.startsWith('downburst-'));
  const inMemory = (await readdir(MEMORY).catch(() => [])).filter((name) => name.startsWith(`downburst-bench-${pid}-`));
  return [...onDisk, ...inMemory];
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // One that has ended may wait for a parent to ask how.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

it('every benchmark ends at its tiny size, with right files from each contestant that is installed', async () => {
  const temp = await tempFolder();
  const json = join(await tempFolder(), 'results.json');
  const names = benchmarks.map(({ name }) => name);
  const { child, exited } = startBench([...names, '--tiny', '--json', json], temp);
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  expect(await exited, output + errors).toEqual([0, null]);
  const { results } = JSON.parse(await readFile(json, 'utf8')) as Results;
  expect([...new Set(results.map(({ benchmark }) => benchmark))]).toEqual(names);
  for (const { title, rows } of results) {
    expect(rows[0], title).toMatchObject({ state: 'played' });
    for (const { contestant, state, rounds } of rows) {
      expect(rounds, contestant).toHaveLength(state === 'played' ? 1 : 0);
      expect(output).toMatch(new RegExp(`^${contestant} .*(\\d|–|not installed)$`, 'm'));
    }
  }
  expect(await leftOf(child, temp)).toEqual([]);
});

it.each([
  ['SIGINT', 'it', 'polite'],
  ['SIGINT', 'its process group', 'small'],
  ['SIGTERM', 'it', 'small'],
  ['SIGTERM', 'its process group', 'polite'],
  ['SIGTERM', 'its process group', 'small'],
  ['SIGHUP', 'its process group', 'small'],
] as const)('%s to %s ends %s at once, which leaves nothing behind but what was played', async (signal, whom, name) => {
  const temp = await tempFolder();
  const json = join(await tempFolder(), 'results.json');
  const { child, exited } = startBench([name, '--tiny', '--rounds', '1000', '--json', json], temp);
  for await (const line of createInterface(child.stderr)) if (line.includes('round 2 of 1000')) break;
  const pid = child.pid ?? NaN;
  process.kill(whom === 'it' ? pid : -pid, signal);
  expect(await exited).toEqual([130, null]);
  expect(await leftOf(child, temp)).toEqual([]);
  const { interrupted, results } = JSON.parse(await readFile(json, 'utf8')) as Results;
  expect(interrupted).toBe(true);
  expect(results[0]?.rows[0]).toMatchObject({ state: 'played', timesFirst: 1 });
});

it('a reader that goes away ends a run, which leaves nothing behind', async () => {
  const temp = await tempFolder();
  const { child, exited } = startBench(['small', 'latency', 'polite', '--tiny'], temp);
  await once(child.stdout, 'data'); // the heading
  child.stdout.destroy();
  expect(await exited).toEqual([130, null]);
  expect(await leftOf(child, temp)).toEqual([]);
});

it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s ends a script, which leaves nothing behind', async (signal) => {
  const temp = await tempFolder();
  const { child, exited } = startBench(['split', '--mb', '512', '--mb-per-second', '1'], temp);
  await once(child.stdout, 'data'); // the source has started
  const { pid } = child;
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
  expect(children).toHaveLength(1);
  child.kill(signal);
  expect(await exited).toEqual([130, null]);
  expect(await leftOf(child, temp)).toEqual([]);
  expect(children.filter(isAlive)).toEqual([]);
});

it('a command that is interrupted is gone with what it has started', async () => {
  const pidFile = join(await tempFolder(), 'pid');
  const interrupt = new AbortController();
  const { signal } = interrupt;
  const ended = measureCommand('sh', ['-c', 'sleep 1000 & echo $! > "$0"; wait', pidFile], { signal });
  const pid = await vi.waitUntil(async () => Number(await readFile(pidFile, 'utf8').catch(() => '')));
  interrupt.abort();
  await expect(ended).rejects.toBe(signal.reason);
  await vi.waitUntil(() => !isAlive(pid));
});

it.each([
  [
    ['--json', '/nowhere/results.json'],
    '--json FILE must be one to write to, which "/nowhere/results.json" is not (ENOENT).',
  ],
  [['--json', ''], '--json FILE must be one to write to, which "" is not (ENOENT).'],
  [['--disk', '/nowhere'], '--disk FOLDER must be one to write to, which /nowhere is not (ENOENT).'],
  [['--disk', RUN], `--disk FOLDER must be one to write to, which ${RUN} is not (ENOTDIR).`],
  [['split'], 'split is a script, which stands first and alone: npm run bench -- split.'],
])('nothing is measured with %j, which cannot be', async (args, problem) => {
  const temp = await tempFolder();
  const { child, exited } = startBench(['--tiny', 'polite', ...args], temp);
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  expect([output, errors.trimEnd().split('\n').at(-1)]).toEqual(['', problem]);
  expect(await exited).toEqual([2, null]);
  expect(await leftOf(child, temp)).toEqual([]);
});

it.each([
  [['split', '--mb', '16'], '--mb takes a number from 512 to 1000000, not "16".'],
  [['split', '--mb-per-second', 'x'], '--mb-per-second takes a number from 1 to 1000000000, not "x".'],
  [['split', '--folder', '/nowhere'], "ENOENT: no such file or directory, mkdtemp '/nowhere/downburst-split-XXXXXX'"],
  [['split', '512'], 'It takes flags only, not "512".'],
  [['slow-store', '--files', '1.5'], '--files takes a whole number, not "1.5".'],
  [['million', '5000'], 'ENTRIES without --pace takes a number from 100000 to 10000000, not "5000".'],
  [['million', '--host', 'x'], '--host is embedded or deployed, not "x".'],
])('the script %j does nothing, and says what is wrong', async (args, problem) => {
  const temp = await tempFolder();
  const { child, exited } = startBench(args, temp);
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  expect([output, errors.trimEnd()]).toEqual(['', problem]);
  expect(await exited).toEqual([2, null]);
  expect(await leftOf(child, temp)).toEqual([]);
});

it('an nginx that does not start ends a run by a line that says so', async () => {
  const temp = await tempFolder();
  const folder = await tempFolder();
  const nginx = join(folder, 'nginx');
  await writeFile(nginx, '#!/bin/sh\nexit 1\n', { mode: 0o755 });
  const { child, exited } = startBench(['small', '--tiny'], temp, { PATH: `${folder}:${process.env.PATH}` });
  const errors = await text(child.stderr);
  expect(errors.trimEnd().split('\n').at(-1)).toBe(`${nginx} does not start.`);
  expect(await exited).toEqual([2, null]);
  expect(await leftOf(child, temp)).toEqual([]);
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
