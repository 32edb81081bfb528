import { fork, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';

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
  return {
    async start<T>(...role: string[]): Promise<T> {
      const child = fork(module, [...role, ...flags], { execArgv });
      children.push(child);
      const exited = once(child, 'exit').then(() => Promise.reject(new Error(`${role.join(' ')} has ended early`)));
      const [message] = (await Promise.race([once(child, 'message'), exited])) as [T];
      exited.catch(() => undefined);
      return message;
    },
    [Symbol.dispose]() {
      for (const child of children) child.kill();
    },
  };
}

/** SHA-256 of a file, in lower-case hex. */
export async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
