import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { COMMAND, ON_LOOPBACK, runCommand } from '../../helpers/command.ts';
import { startOrigin } from '../../helpers/origin.ts';
import { tempFolder } from '../../helpers/temp-folder.ts';

const PROJECT = fileURLToPath(new URL('../../../', import.meta.url));
const run = promisify(execFile);

it('npm pack makes a package that needs no other, is installed into an empty folder, and downloads there', async () => {
  const folder = await tempFolder();
  const home = join(folder, 'home');
  await mkdir(home);
  const packed = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: PROJECT });
  const [name = ''] = (await readdir(folder)).filter((file) => file.endsWith('.tgz'));
  // Sources, tests and the like stay at home.
  for (const file of ['dist/downburst.js', 'README.md', 'LICENSE']) expect(packed.stdout).toContain(file);
  expect(packed.stdout).not.toMatch(/\.ts"/);

  const offline = ['--offline', '--no-audit', '--no-fund', '--prefix', home];
  await run('npm', ['install', ...offline, join(folder, name)], { cwd: home });
  const installed = join(home, 'node_modules');
  expect((await readdir(installed)).filter((entry) => !entry.startsWith('.'))).toEqual(['downburst']);
  const manifest = JSON.parse(await readFile(join(installed, 'downburst', 'package.json'), 'utf8')) as object;
  expect(manifest).not.toHaveProperty('dependencies');

  const origin = await startOrigin({ '*': ({ response }) => void response.end('hello') });
  const program = [process.execPath, join(installed, '.bin', 'downburst')] as const;
  // With a request header the list is uploaded, and planned by a thread of its own.
  const args = ['get', origin.url('/a.txt'), '-H', 'X-Test: 1', '-q', ...ON_LOOPBACK];
  expect(await runCommand(args, { cwd: home, program })).toEqual({ code: 0, stdout: '', stderr: '' });
  expect(await readFile(join(home, `127.0.0.1_${origin.port}`, 'a.txt'), 'utf8')).toBe('hello');
  expect(await runCommand(['--version'], { cwd: home, program })).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as unknown,
  });
});

it('an older Node.js is told to be too old, and nothing else', async () => {
  const { engines } = JSON.parse(await readFile(join(PROJECT, 'package.json'), 'utf8')) as {
    engines: { node: string };
  };
  const least = Number(/^>=(\d+)$/.exec(engines.node)?.[1]);
  const runAs = async (version: string) => {
    const node = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } });`;
    const program = [process.execPath, '--import', `data:text/javascript,${node}`, COMMAND] as const;
    return runCommand(['--version'], { program });
  };
  expect(await runAs(`${least - 1}.9.0`)).toEqual({
    code: 1,
    stdout: '',
    stderr: `Downburst needs Node.js ${least} or later; this is ${process.version}.\n`,
  });
  expect(await runAs(`${least}.0.0`)).toMatchObject({ code: 0 });
});
