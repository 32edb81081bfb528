import { fork, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

const EXIT_INTERRUPTED = 130;

/** A new folder that is gone when this process ends, which it does by signals, too. */
export function temporaryFolder(parent: string, prefix: string): string {
  const folder = mkdtempSync(join(parent, prefix));
  // Whoever writes into it has just been killed, and may not be gone yet.
  process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => process.exit(EXIT_INTERRUPTED));
  return folder;
}

/** The role of this process and what belongs to it. Errors: it was not started by `createProcesses`, and was given one. */
export function roleOf(positionals: readonly string[]): readonly [name: string, ...rest: string[]] {
  const [name = 'main', ...rest] = positionals;
  if (name !== 'main' && process.send === undefined) throw new Error(`It takes flags only, not "${name}".`);
  return [name, ...rest];
}

/** The other processes of a benchmark, which run its own module in other roles. They end with the block that has them. */
export interface Processes extends Disposable {
  /** Starts one; resolves with the first thing that it says. Errors: it has ended without a word. */
  start: <T>(...role: string[]) => Promise<T>;
}

/**
 * @param flags given to each, behind its role
 * @param execArgv Node's own flags
 */
export function createProcesses(module: string, flags: readonly string[], execArgv: string[] = []): Processes {
  const children: ChildProcess[] = [];
  const end = () => {
    for (const child of children) child.kill('SIGKILL');
  };
  // Before the folder is removed that they write into.
  process.prependOnceListener('exit', end);
  return {
    async start<T>(...role: string[]): Promise<T> {
      const child = fork(module, [...role, ...flags], { execArgv });
      children.push(child);
      const exited = once(child, 'exit').then(() => Promise.reject(new Error(`${role.join(' ')} has ended early`)));
      const [message] = (await Promise.race([once(child, 'message'), exited])) as [T];
      exited.catch(() => undefined);
      return message;
    },
    [Symbol.dispose]: end,
  };
}

/** SHA-256 of a file, in lower-case hex. */
export async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
