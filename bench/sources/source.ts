import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Context } from '../harness/benchmark.ts';
import { findExecutable, versionOf } from '../harness/machine.ts';
import { fileName } from './content.ts';
import { writeFiles, type FileSet } from './files.ts';
import { startNginx } from './nginx.ts';
import type { OriginReport } from './node-origin.ts';

/** Where Debian keeps servers, which is not on the path of every user. */
const SERVER_FOLDERS = ['/usr/sbin', '/usr/local/sbin'];

/** A server of files on loopback, in a process of its own, which ends with the block that has it. */
export interface Source extends AsyncDisposable {
  url: string;
  /** What it is, for the reader. */
  note: string;
}

/** One that counts. */
export interface CountingSource extends Source {
  /** How many requests were open at once since this was asked last. */
  peakRequests: () => Promise<number>;
}

/** nginx where it is installed, with its files in memory; else a Node origin. */
export async function startSource({ memoryFolder, signal }: Context, files: FileSet): Promise<Source> {
  const executable = await findExecutable('nginx', SERVER_FOLDERS);
  if (executable === undefined) return startOrigin(files, 0);
  await using stack = new AsyncDisposableStack();
  const folder = join(memoryFolder, 'source');
  const ownFolder = join(memoryFolder, 'nginx');
  stack.defer(async () => {
    for (const each of [folder, ownFolder]) await rm(each, { recursive: true, force: true });
  });
  await mkdir(folder);
  await writeFiles(folder, files, signal);
  const { port } = stack.use(await startNginx(executable, folder, ownFolder));
  const note = `source: nginx ${await versionOf(executable)}, one worker, its files in memory`;
  const parts = stack.move();
  return { url: `http://127.0.0.1:${port}`, note, [Symbol.asyncDispose]: () => parts.disposeAsync() };
}

/** An origin that answers each request after `delayMs`, which nginx cannot. */
export async function startOrigin({ bytes }: FileSet, delayMs: number): Promise<CountingSource> {
  const child = fork(new URL('node-origin.ts', import.meta.url), [String(bytes), String(delayMs)]);
  const exited = once(child, 'exit');
  const early = exited.then(() => Promise.reject(new Error('The origin has ended early.')));
  early.catch(() => undefined);
  const hear = async () => ((await Promise.race([once(child, 'message'), early])) as [OriginReport])[0];
  const { port } = await hear();
  return {
    url: `http://127.0.0.1:${port}`,
    note: `source: a Node origin${delayMs > 0 ? `, ${delayMs} ms to each answer` : ''}`,
    async peakRequests() {
      const report = hear();
      child.send('report');
      return (await report).peakRequests;
    },
    async [Symbol.asyncDispose]() {
      child.kill();
      await exited;
    },
  };
}

/** The URLs of its files. */
export function urlsOf({ url }: Source, { count }: FileSet): string[] {
  return Array.from({ length: count }, (_, file) => `${url}/${fileName(file)}`);
}
