import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { createLog } from '../../local/log.ts';
import { serveEmbedded, type Served } from '../../local/serve.ts';
import { foldersIn } from '../../local/stores.ts';
import { tempFolder } from './temp-folder.ts';

const COMMAND = fileURLToPath(new URL('../../cli/downburst.ts', import.meta.url));

/** Networks of the origins that tests start. */
const ALLOWED = '127.0.0.0/8';

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface ServiceProcess {
  url: string;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when the process is gone. */
  exit: Promise<Exit>;
}

/** Runs the command of `npm start` with these arguments; it is gone when the running test ends. */
export function runMain(args: readonly string[]): {
  exit: Promise<Exit>;
  url: Promise<string>;
  kill: ServiceProcess['kill'];
} {
  const child = spawn(process.execPath, [COMMAND, 'serve', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const url = Promise.withResolvers<string>();
  // Nobody has to wait for it.
  url.promise.catch(() => undefined);
  let stdout = '';
  let stderr = '';
  createInterface(child.stdout).on('line', (line) => {
    stdout += `${line}\n`;
    const found = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0];
    if (found !== undefined) url.resolve(found);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const exit = new Promise<Exit>((resolve) => {
    child.once('close', (code, signal) => {
      url.reject(new Error(`The service ended with ${code ?? signal ?? ''} before it was ready:\n${stderr}`));
      resolve({ code, signal, stdout, stderr });
    });
  });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exit;
  });
  return { exit, url: url.promise, kill: (signal) => child.kill(signal) };
}

/** The embedded service as a process of its own, on a free port, allowed to download from loopback. */
export async function startServiceProcess(dataFolder: string, ...flags: string[]): Promise<ServiceProcess> {
  const { exit, url, kill } = runMain(['--port', '0', '--data', dataFolder, '--allow-network', ALLOWED, ...flags]);
  return { url: await url, kill, exit };
}

/** The embedded service within this process, with one worker thread; the caller closes it. */
export function startServiceIn(dataFolder: string, port = 0): Promise<Served> {
  const log = createLog({ write: () => undefined }, Date.now);
  const options = { folders: foldersIn(dataFolder), folderFlag: '--data', workers: 1, allowedNetworks: [ALLOWED], log };
  return serveEmbedded(options, port);
}

/** The embedded service within this process, in a fresh folder, for the running test. */
export async function startService(): Promise<Served & { dataFolder: string }> {
  const dataFolder = await tempFolder();
  const embedded = await startServiceIn(dataFolder);
  onTestFinished(() => embedded.close());
  return { ...embedded, dataFolder };
}
