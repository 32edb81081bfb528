import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { freePort } from '../../test/helpers/free-port.ts';

/** Ends what it runs as soon as its standard input ends, which it does however we do. */
const GUARD = `trap '' INT; "$@" & child=$!; read -r _; kill "$child"; wait "$child"`;
const POLL_MS = 10;
/** It has not started if it does not answer by then. */
const START_MS = 10_000;

/** A running nginx, which ends with the block that has it. */
export interface Nginx extends AsyncDisposable {
  port: number;
}

/**
 * Starts an nginx of one worker, which leaves the other cores to its clients. What it writes of its own goes into
 * `ownFolder`. Errors: it does not start.
 */
export async function startNginx(executable: string, folder: string, ownFolder: string): Promise<Nginx> {
  const port = await freePort();
  await mkdir(join(ownFolder, 'temp'), { recursive: true });
  const config = join(ownFolder, 'nginx.conf');
  await writeFile(config, configOf(port, folder, ownFolder));
  const args = ['-c', GUARD, 'guard', executable, '-p', ownFolder, '-e', 'stderr', '-c', config];
  const guard = spawn('sh', args, { stdio: ['pipe', 'ignore', 'inherit'] });
  const end = async () => {
    guard.stdin.end();
    if (guard.exitCode === null) await once(guard, 'exit');
  };
  const deadline = performance.now() + START_MS;
  while (!(await answers(port))) {
    if (performance.now() > deadline) {
      await end();
      throw new Error(`${executable} does not answer.`);
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
pid ${join(ownFolder, 'nginx.pid')};
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

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
