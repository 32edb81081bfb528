import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, rm, statfs } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Context } from './benchmark.ts';
import { CannotRun } from './cannot-run.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Where Linux has a file system in memory. */
const MEMORY = '/dev/shm';
/** `statfs`'s type of tmpfs. */
const TMPFS = 0x01021994;

interface ContextOptions extends Pick<Context, 'size' | 'signal'> {
  /** Another place for what goes to a disk than the system's folder for temporary files. */
  disk?: string | undefined;
}

/** What a run gives its benchmarks; its folders and the built command are gone with it. Errors: `CannotRun`. */
export async function makeContext({
  size,
  signal,
  disk = tmpdir(),
}: ContextOptions): Promise<Context & AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const makeFolder = async (parent: string) => {
    const folder = await mkdtemp(join(parent, `downburst-bench-${process.pid}-`));
    stack.defer(() => rm(folder, { recursive: true, force: true }));
    return folder;
  };
  const isMemory = async (folder: string) => (await statfs(folder).catch(() => undefined))?.type === TMPFS;
  if (!(await isMemory(MEMORY))) console.error(`${MEMORY} is no tmpfs: "to tmpfs" is to ${tmpdir()} here.`);
  if (await isMemory(disk)) console.error(`${disk} is a tmpfs: "to disk" needs --disk FOLDER.`);
  const memoryFolder = await makeFolder((await isMemory(MEMORY)) ? MEMORY : tmpdir());
  const diskFolder = await makeFolder(disk).catch((error: unknown) => {
    const { code } = error as NodeJS.ErrnoException;
    throw new CannotRun(`--disk FOLDER must be one to write to, which ${disk} is not (${code}).`, { cause: error });
  });
  let built: Promise<string> | undefined;
  const build = async () => {
    // As in the package: the command looks for its version there.
    const folder = join(memoryFolder, 'package');
    await mkdir(folder);
    await copyFile(join(ROOT, 'package.json'), join(folder, 'package.json'));
    await promisify(execFile)(process.execPath, [join(ROOT, 'cli', 'build.ts'), join(folder, 'dist')]);
    const command = join(folder, 'dist', 'downburst.js');
    await runOnce(command, memoryFolder);
    return command;
  };
  const parts = stack.move();
  return {
    size,
    signal,
    memoryFolder,
    diskFolder,
    downburst: () => (built ??= build()),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

/** Has the command keep what Node compiles of it, as it has done for every user but at the first time. */
async function runOnce(command: string, parent: string): Promise<void> {
  const target = await mkdtemp(join(parent, 'once-'));
  const server = createServer((_request, response) => response.end('once')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/a.txt`;
  const args = ['get', url, '-o', target, '--quiet', '--allow-network', '127.0.0.0/8'];
  await promisify(execFile)(process.execPath, [command, ...args]);
  server.close();
  await rm(target, { recursive: true });
}
