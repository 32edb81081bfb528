import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { freePort } from '../../test/helpers/free-port.ts';
import { CannotRun } from '../harness/cannot-run.ts';

/** Ends what it runs as soon as its standard input ends, which it does however we do; ends with it, too. */
const GUARD = `exec 3<&0; "$@" & child=$!; { read -r _ <&3; kill "$child" 2>/dev/null; } & wait "$child"`;
const PID_FILE = 'nginx.pid';
const POLL_MS = 10;
/** It has not started if it does not listen by then. */
const START_MS = 10_000;

/** A running nginx, which ends with the block that has it. */
export interface Nginx extends AsyncDisposable {
  port: number;
}

/**
 * Starts an nginx of one worker, which leaves the other cores to its clients. What it writes of its own goes into
 * `ownFolder`, which is new. Errors: it does not start.
 */
export async function startNginx(executable: string, folder: string, ownFolder: string): Promise<Nginx> {
  const port = await freePort();
  await mkdir(join(ownFolder, 'temp'), { recursive: true });
  const config = join(ownFolder, 'nginx.conf');
  await writeFile(config, configOf(port, folder, ownFolder));
  const args = ['-c', GUARD, 'guard', executable, '-p', ownFolder, '-e', 'stderr', '-c', config];
  // Detached: a signal to our whole process group would take the guard before what it guards.
  const guard = spawn('sh', args, { stdio: ['pipe', 'ignore', 'inherit'], detached: true });
  const exited = once(guard, 'exit');
  const end = async () => {
    guard.stdin.end();
    await exited;
  };
  const deadline = performance.now() + START_MS;
  // Written once it listens: somebody else's server on the same port is not taken for it.
  while (!(await isThere(join(ownFolder, PID_FILE)))) {
    if (guard.exitCode !== null || performance.now() > deadline) {
      await end();
      throw new CannotRun(`${executable} does not start.`);
    }
    await setTimeout(POLL_MS);
  }
  return { port, [Symbol.asyncDispose]: end };
}

/** Files that nginx keeps open, within what a process may have on most systems. */
const OPEN_FILES = 12_000;

function configOf(port: number, folder: string, ownFolder: string): string {
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${join(ownFolder, 'temp', kind)};`,
  );
  return `
daemon off;
worker_processes 1;
pid ${join(ownFolder, PID_FILE)};
${process.getuid?.() === 0 ? 'user root;' : ''}
events { worker_connections 4096; }
http {
  ${temp.join('\n  ')}
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  keepalive_timeout 60s;
  open_file_cache max=${OPEN_FILES} inactive=600s;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    root ${folder};
  }
}
`;
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
