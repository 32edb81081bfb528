/**
 * A batch of a million tiny files, or as many as are said: uploaded, planned, begun, paused, resumed and cancelled, as a
 * user does, over HTTP. Every status on the way has to add up, and no process may take more than 512 MB.
 *
 *     node bench/million.ts [entries] [--host embedded|deployed] [--pace requestsPerSecondPerHost]
 *
 * Fewer than 100,000 need a pace.
 *
 * Processes of their own: the sources; the service, `embedded` as `npm start` runs it, or `deployed`, one for each function's
 * instance, over emulators in this process, whose memory is not counted.
 */
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createGzip } from 'node:zlib';
import { MAX_LIST_ENTRIES } from '../core/model/limits.ts';
import { OPTION_RANGES } from '../core/model/options.ts';
import type { FileDocument, ListDocument, StatusDocument } from '../http/documents.ts';
import { numberWithin, readCommandLine, wholeNumber } from './harness/command-line.ts';
import { temporaryFolder } from './processes.ts';
import type { OriginReport } from './tiny-origin.ts';

/** What a process may take. */
const MAX_RESIDENT_MB = 512;
/** A cancel stops what is in flight within this. */
const CANCEL_MS = 10_000;
const ENTRIES_PER_HOST = 1000;
/** Fewer, without a pace, are done before they can be paused and cancelled. */
const LEAST_UNPACED = 100_000;
/** Files that end before the pause. */
const FIRST_FILES = 30_000;
/** For how long nothing is fetched before it is believed that nothing will be. */
const SILENCE_MS = 2000;
const POLL_MS = 250;
const PAGES = 5;
const PAGE = 1000;
/** Characters of the list that are sent at once. */
const BLOCK_CHARACTERS = 65_536;

/** A service to be put to the test. */
export interface Host {
  url: string;
  /** Whether lists come gzipped: not all stores here take one of 56 MB at once. */
  packed: boolean;
  processes: () => { name: string; pid: number }[];
  stop: () => Promise<void>;
}

if (import.meta.main) {
  const { entries, host, options } = readCommandLine(commandLine);
  await main(entries, host, options);
}

/** Errors: what cannot be used of it. */
function commandLine() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { host: { type: 'string', default: 'embedded' }, pace: { type: 'string' } },
  });
  const { host, pace } = values;
  if (host !== 'embedded' && host !== 'deployed') throw new Error(`--host is embedded or deployed, not "${host}".`);
  const [entries = '1000000', ...others] = positionals;
  if (others.length > 0) throw new Error(`There is one number of entries, not "${positionals.join(' ')}".`);
  return {
    entries:
      pace === undefined
        ? wholeNumber('ENTRIES without --pace', entries, LEAST_UNPACED, MAX_LIST_ENTRIES)
        : wholeNumber('ENTRIES', entries, 1, MAX_LIST_ENTRIES),
    host,
    options:
      pace === undefined
        ? {}
        : { requestsPerSecondPerHost: numberWithin('--pace', pace, OPTION_RANGES.requestsPerSecondPerHost) },
  };
}

async function main(entries: number, kind: string, options: object): Promise<void> {
  const folder = temporaryFolder(tmpdir(), 'downburst-million-');
  await using stack = new AsyncDisposableStack();
  const origin = await startOrigin(Math.ceil(entries / ENTRIES_PER_HOST));
  stack.defer(() => origin.stop());
  // Only a deployment needs the emulators.
  const host =
    kind === 'deployed' ? await (await import('./deployed.ts')).startDeployed() : await startEmbedded(folder);
  stack.defer(() => host.stop());

  console.log(`${kind}: ${count(entries)} entries, ${count(origin.ports.length)} hosts`);
  await play(host, origin, entries, options);

  let highest = 0;
  for (const { name, pid } of host.processes()) {
    const peakMb = peakBytes(pid) / 1e6;
    highest = Math.max(highest, peakMb);
    console.log(`  ${name.padEnd(22)} ${peakMb.toFixed(0)} MB resident at the most`);
  }
  must(highest < MAX_RESIDENT_MB, `no process takes more than ${MAX_RESIDENT_MB} MB`);
  console.log('passed');
}

/** The batch's life. Throws where it is not as it must be. */
async function play(host: Host, origin: Origin, entries: number, options: object): Promise<void> {
  const client = createClient(host.url);
  const lap = stopwatch();

  const list = () => {
    const text = Readable.from(textOf(entries, origin.ports));
    return host.packed ? text.pipe(createGzip()) : text;
  };
  let bytes = 0;
  for await (const block of list()) bytes += (block as Buffer | string).length;
  const { listId, upload } = await client.post<ListDocument>('/lists', { bytes, format: 'text' });
  await put(upload, list());
  lap(`list of ${(bytes / 1e6).toFixed(0)} MB uploaded`);

  const { id } = await client.post<StatusDocument>('/batches', { listId, options });
  const planned = await client.until(id, ({ state }) => state !== 'planning');
  must(planned.state === 'running' && planned.total === entries, 'all entries are planned');
  lap(`planned into ${count(planned.shards.total)} shards`);

  const first = Math.min(FIRST_FILES, Math.floor(entries / 10));
  const begun = await client.until(id, ({ done }) => done >= first);
  must(begun.failed === 0, 'nothing fails');
  lap(`${count(begun.done)} files stored`);

  await readPages(client, id);
  lap('some pages of files read');

  await client.post(`/batches/${id}/pause`);
  const paused = await client.until(id, ({ shards }) => shards.working === 0);
  const before = await origin.report();
  await setTimeout(SILENCE_MS);
  const silent = await origin.report();
  must(
    paused.state === 'paused' && silent.open === 0 && silent.requests === before.requests,
    'nothing is fetched while paused',
  );
  const still = await client.status(id);
  must(still.done === paused.done, 'nothing ends while paused');
  lap(`paused with ${count(paused.done)} files; nothing was fetched for ${SILENCE_MS / 1000} s`);

  await client.post(`/batches/${id}/resume`);
  const more = Math.min(paused.done + first / 10, entries - 1);
  const resumed = await client.until(id, ({ done }) => done >= more);
  lap(`resumed, ${count(resumed.done)} files stored`);

  const [cancelling, stoppedMs] = await Promise.all([
    client.post<StatusDocument>(`/batches/${id}/cancel`),
    untilSilent(origin),
  ]);
  checkSum(cancelling);
  must(stoppedMs < CANCEL_MS, `a cancel stops what is in flight within ${CANCEL_MS / 1000} s`);
  lap(`cancelled; after ${(stoppedMs / 1000).toFixed(1)} s nothing was in flight any more`);
  const end = await client.until(id, ({ finishedAt }) => finishedAt !== undefined);
  must(end.state === 'cancelled' && end.pending === 0 && end.done >= resumed.done, 'all that is left is cancelled');
  lap(`closed: ${count(end.done)} done, ${count(end.cancelled)} cancelled`);
  console.log(`  ${client.looks()} statuses, each of which added up`);
}

/** How long it takes from now until nothing is in flight or comes any more, in milliseconds. */
async function untilSilent(origin: Origin): Promise<number> {
  const from = performance.now();
  let busyAt = from;
  for (let last = 0; performance.now() - busyAt < SILENCE_MS;) {
    const { open, requests } = await origin.report();
    if (open > 0 || requests > last) busyAt = performance.now();
    last = requests;
    await setTimeout(POLL_MS);
  }
  return busyAt - from;
}

/** Pages through files of the running batch: none comes twice. */
async function readPages(client: Client, id: string): Promise<void> {
  const seen = new Set<number>();
  let cursor = '';
  for (let page = 0; page < PAGES; page++) {
    const { files, nextCursor } = await client.get<{ files: FileDocument[]; nextCursor?: string }>(
      `/batches/${id}/files?limit=${PAGE}${cursor}`,
    );
    for (const { index } of files) {
      must(!seen.has(index), 'no file is listed twice');
      seen.add(index);
    }
    must(nextCursor !== undefined, 'there is more to come of a running batch');
    cursor = `&cursor=${nextCursor ?? ''}`;
  }
  must(seen.size > 0, 'files are listed');
}

type Client = ReturnType<typeof createClient>;

function createClient(url: string) {
  let looks = 0;

  async function ask<T>(path: string, init?: RequestInit): Promise<T> {
    const answer = await fetch(url + path, init);
    const body = await answer.text();
    if (!answer.ok) throw new Error(`${path} was answered with ${answer.status}: ${body}`);
    return JSON.parse(body) as T;
  }

  async function status(id: string): Promise<StatusDocument> {
    const status = await ask<StatusDocument>(`/batches/${id}`);
    checkSum(status);
    looks += 1;
    return status;
  }

  return {
    status,
    get: ask,
    post: <T>(path: string, body?: object): Promise<T> =>
      ask(path, {
        method: 'POST',
        ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
      }),
    looks: () => looks,
    async until(id: string, holds: (status: StatusDocument) => boolean): Promise<StatusDocument> {
      for (;;) {
        const now = await status(id);
        if (holds(now)) return now;
        must(now.finishedAt === undefined, `the batch goes on, and is not ${now.state}`);
        await setTimeout(POLL_MS);
      }
    },
  };
}

function checkSum({ total, done, failed, skipped, cancelled, pending }: StatusDocument): void {
  must(total === done + failed + skipped + cancelled + pending, 'a status adds up');
}

interface Origin {
  ports: readonly number[];
  report: () => Promise<OriginReport>;
  stop: () => Promise<void>;
}

async function startOrigin(hosts: number): Promise<Origin> {
  const child = fork(fileURLToPath(new URL('tiny-origin.ts', import.meta.url)), [String(hosts)]);
  const next = async () => ((await once(child, 'message')) as [OriginReport])[0];
  const { ports } = await next();
  return {
    ports,
    report() {
      child.send('report');
      return next();
    },
    async stop() {
      child.disconnect();
      await once(child, 'exit');
    },
  };
}

/** The service as `npm start` runs it. */
async function startEmbedded(dataFolder: string): Promise<Host> {
  const command = fileURLToPath(new URL('../cli/downburst.ts', import.meta.url));
  const flags = ['serve', '--port', '0', '--data', dataFolder, '--allow-network', '127.0.0.0/8'];
  const child = spawn(process.execPath, [command, ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  // Whoever ends this process ends the service, too.
  process.prependOnceListener('exit', () => child.kill('SIGKILL'));
  for await (const line of createInterface(child.stdout)) {
    const url = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0];
    if (url === undefined) continue;
    return {
      url,
      packed: false,
      processes: () => [{ name: 'service', pid: child.pid ?? 0 }],
      async stop() {
        child.kill('SIGTERM');
        await exited;
      },
    };
  }
  throw new Error('The service did not start.');
}

/** The list as a text, in blocks: the hosts by turns. */
function* textOf(entries: number, ports: readonly number[]): Generator<string> {
  let block = '';
  for (let i = 0; i < entries; i++) {
    block += `http://127.0.0.1:${ports[i % ports.length] ?? 0}/photos/2030/${i % 365}/img-${String(i).padStart(8, '0')}.jpg\n`;
    if (block.length < BLOCK_CHARACTERS) continue;
    yield block;
    block = '';
  }
  yield block;
}

async function put({ url, headers }: ListDocument['upload'], list: Readable): Promise<void> {
  const outgoing = request(url, { method: 'PUT', headers });
  const answered = once(outgoing, 'response') as Promise<[{ statusCode?: number; resume: () => void }]>;
  await pipeline(list, outgoing);
  const [answer] = await answered;
  answer.resume();
  must(answer.statusCode === 200, 'the list is taken');
}

/** A process's highest resident memory so far, as Linux counts it. */
function peakBytes(pid: number): number {
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) * 1024;
}

function stopwatch(): (what: string) => void {
  let from = performance.now();
  return (what) => {
    const now = performance.now();
    console.log(`  ${((now - from) / 1000).toFixed(1).padStart(6)} s  ${what}`);
    from = now;
  };
}

function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(`It must hold that ${what}.`);
}

function count(n: number): string {
  return n.toLocaleString('en');
}
