import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import type { Tally } from './endpoint.ts';
import { FILES_BUCKET, inLanes } from './job.ts';

/** An S3 endpoint in a process of its own (endpoint.ts), which ends with the block that has it. */
export interface Endpoint extends AsyncDisposable {
  url: string;
  /** What it is, and what it can take, for the reader. */
  note: string;
  tally: () => Promise<Tally>;
  /** Forgets all files. */
  clear: () => Promise<void>;
}

const PROBES = 2000;
const PROBE_BYTES = 20 * 1024;
const LANES = 16;
/** Linux tells processors' time in ticks; `getconf CLK_TCK` is 100 on all its common platforms. */
const MS_PER_TICK = 10;

/** Errors: it does not start. */
export async function startEndpoint(): Promise<Endpoint> {
  const child = fork(new URL('endpoint.ts', import.meta.url));
  const exited = once(child, 'exit');
  const early = exited.then(() => Promise.reject(new Error('The S3 endpoint has ended early.')));
  const [port] = (await Promise.race([once(child, 'message'), early])) as [number];
  early.catch(() => undefined);
  const url = `http://127.0.0.1:${port}`;
  const clear = async () => {
    await fetch(url, { method: 'DELETE' });
  };
  const perSecond = await putsPerSecond(url, child.pid);
  await clear();
  const rate = perSecond === undefined ? '' : `, ${Math.round(perSecond).toLocaleString('en')} PUTs of 20 KiB a second`;
  return {
    url,
    note: `endpoint: a process that counts bodies and drops them${rate} on a core`,
    tally: async () => (await (await fetch(url)).json()) as Tally,
    clear,
    async [Symbol.asyncDispose]() {
      child.kill();
      await exited;
    },
  };
}

/** How many it takes on a core of its own: by its processor's time, since its client here takes as much. */
async function putsPerSecond(url: string, pid: number | undefined): Promise<number | undefined> {
  const agent = new Agent({ keepAlive: true, maxSockets: LANES });
  const body = Buffer.alloc(PROBE_BYTES);
  const put = (i: number) =>
    new Promise<void>((resolve, reject) => {
      const sent = request(`${url}/${FILES_BUCKET}/${i}`, { method: 'PUT', agent }, (answer) => {
        answer.resume().on('end', resolve).on('error', reject);
      });
      sent.on('error', reject).end(body);
    });
  await inLanes(PROBES, LANES, put);
  const before = cpuMsOf(pid);
  await inLanes(PROBES, LANES, put);
  const after = cpuMsOf(pid);
  agent.destroy();
  return before === undefined || after === undefined ? undefined : (1000 * PROBES) / (after - before);
}

/** User and system time of a process; undefined where the system does not tell as Linux does. */
function cpuMsOf(pid: number | undefined): number | undefined {
  try {
    // The second field is the program's name in parentheses, in which there may be anything.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
  } catch {
    return undefined;
  }
}
