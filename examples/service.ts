import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const COMMAND = fileURLToPath(new URL('../cli/downburst.ts', import.meta.url));
/** The service promises to be gone 10 s after it is asked. */
const STOP_MS = 12_000;

export interface RunningService {
  url: string;
  /** Resolves when the process is gone. */
  stop(): Promise<void>;
}

/** Starts the embedded service as `npm start` does, allowed to download from loopback. Errors that it logs are shown. */
export async function startService(dataFolder: string): Promise<RunningService> {
  const flags = ['--port', '0', '--data', dataFolder, '--allow-network', '127.0.0.0/8'];
  const child = spawn(process.execPath, [COMMAND, 'serve', ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
  createInterface(child.stderr).on('line', (line) => {
    if (!/^\S+ info /.test(line)) console.error(line);
  });
  const exited = once(child, 'exit');

  const ready = (async () => {
    for await (const line of createInterface(child.stdout)) {
      const url = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0];
      if (url !== undefined) return url;
    }
    throw new Error('The service did not start.');
  })();

  return {
    url: await ready,
    async stop() {
      child.kill('SIGTERM');
      const late = new AbortController();
      const kill = setTimeout(STOP_MS, undefined, { signal: late.signal }).then(
        () => child.kill('SIGKILL'),
        () => undefined,
      );
      await exited;
      late.abort();
      await kill;
    },
  };
}
