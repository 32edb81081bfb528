import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { FileDocument, StatusDocument } from '../../../http/documents.ts';
import { runMain, startServiceProcess } from '../../helpers/service.ts';
import { tempFolder } from '../../helpers/temp-folder.ts';
import { fileSha256, startFileOrigin } from './file-origin.ts';
import type { FileOrigin } from './file-origin.ts';

describe('the embedded service', () => {
  it('downloads a batch into its folder and says so in its log', async () => {
    const folder = await tempFolder();
    const service = await startServiceProcess(folder);
    const origin = await startFileOrigin();
    const { id } = await submit(service.url, origin, 30, `${origin.url}/missing?token=s3cr3t`);
    const status = await watch(service.url, id, closed);
    expect(status).toMatchObject({ state: 'finished', done: 30, failed: 1 });
    await expectWhole(folder, service.url, status, 30);

    service.kill('SIGTERM');
    const { code, stdout, stderr } = await service.exit;
    expect(code).toBe(0);
    expect(stdout).toContain(`curl -i ${service.url}/batches`);
    expect(stderr).toContain(`batch ${id} finished: 30 done`);
    expect(stdout + stderr).not.toContain('s3cr3t');
    // One line per event, and nothing else: no warnings of Node's own.
    for (const line of stderr.trimEnd().split('\n')) expect(line).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z info /);
  });

  it('lets nobody else look into its state', async () => {
    const folder = await tempFolder();
    await startServiceProcess(join(folder, 'new', 'data'));
    const { mode } = await stat(join(folder, 'new', 'data', 'state'));
    expect(mode & 0o777).toBe(0o700);
  });

  it('refuses addresses on this machine unless they are allowed', async () => {
    const service = runMain(['--port', '0', '--data', await tempFolder()]);
    const origin = await startFileOrigin();
    const url = await service.url;
    const { id } = await submit(url, origin, 1);
    expect(await watch(url, id, closed)).toMatchObject({ done: 0, failures: { BLOCKED_ADDRESS: 1 } });
    expect(origin.requests()).toBe(0);
  });

  it('works a short batch while long ones hold all their connections', async () => {
    const service = await startServiceProcess(await tempFolder(), '--workers', '1');
    const slow = await startFileOrigin();
    slow.holdAfter(0);
    const quick = await startFileOrigin();
    const long: StatusDocument[] = [];
    for (let n = 0; n < 12; n++) long.push(await submit(service.url, slow, 100));
    const short = await submit(service.url, quick, 10);
    expect(await watch(service.url, short.id, closed)).toMatchObject({ done: 10 });
    for (const { id } of long) expect(await status(service.url, id)).toMatchObject({ done: 0, pending: 100 });
  });
});

describe.each(['SIGTERM', 'SIGINT'] as const)('%s', (signal) => {
  it('in the middle of a batch ends the service cleanly, and the next start finishes the batch', async () => {
    const folder = await tempFolder();
    const origin = await startFileOrigin();
    origin.holdAfter(150);
    const first = await startServiceProcess(folder);
    const { id } = await submit(first.url, origin, 400);
    const before = await watch(first.url, id, ({ done }) => done >= 100);

    first.kill(signal);
    const { code, stderr } = await first.exit;
    expect({ code, errors: stderr.match(/ error .*/g) }).toEqual({ code: 0, errors: null });

    origin.release();
    const second = await startServiceProcess(folder);
    const after = await watch(second.url, id, closed, before);
    expect(after).toMatchObject({ state: 'finished', done: 400, failed: 0 });
    await expectWhole(folder, second.url, after, 400);
  });
});

describe('kill -9', () => {
  it('in the middle of a batch of 2,000 files loses nothing, counts nothing twice and takes nothing back', async () => {
    const folder = await tempFolder();
    const origin = await startFileOrigin();
    origin.holdAfter(700);
    const first = await startServiceProcess(folder);
    const { id } = await submit(first.url, origin, 2000);
    const before = await watch(first.url, id, ({ done }) => done >= 300);
    expect(before.pending).toBeGreaterThan(0);

    first.kill('SIGKILL');
    expect(await first.exit).toMatchObject({ signal: 'SIGKILL' });

    origin.release();
    const second = await startServiceProcess(folder);
    const after = await watch(second.url, id, closed, before);
    expect(after).toMatchObject({ state: 'finished', total: 2000, done: 2000, failed: 0, skipped: 0, cancelled: 0 });
    await expectWhole(folder, second.url, after, 2000);
  });
});

describe('a submission that died before there was a batch', () => {
  it('leaves nothing behind after the next start', async () => {
    const folder = await tempFolder();
    const origin = await startFileOrigin();
    const first = await startServiceProcess(folder);
    const { id } = await submit(first.url, origin, 1);
    await watch(first.url, id, closed);
    first.kill('SIGTERM');
    await first.exit;
    const batches = join(folder, 'state', 'objects', 'batches');
    await mkdir(join(batches, '01890a5d-ac96-774b-bcce-b302099a8057'));
    await writeFile(join(batches, '01890a5d-ac96-774b-bcce-b302099a8057', 'manifest.jsonl'), '{}\n');

    await startServiceProcess(folder);
    expect(await readdir(batches)).toEqual([id]);
  });
});

describe('a start that cannot succeed', () => {
  it('is refused with one sentence when the database is damaged', async () => {
    const folder = await tempFolder();
    await mkdir(join(folder, 'state'));
    await writeFile(
      join(folder, 'state', 'ledger.sqlite'),
      'this is no database, however long it may be\n'.repeat(100),
    );
    const { code, stderr } = await runMain(['--port', '0', '--data', folder]).exit;
    expect(code).toBe(1);
    expect(stderr).toBe(`${folder} holds a damaged database; choose another one with --data.\n`);
  });

  it('is refused with one sentence while another service uses the folder', async () => {
    const folder = await tempFolder();
    const first = await startServiceProcess(folder);
    const { code, stderr } = await runMain(['--port', '0', '--data', folder]).exit;
    expect(code).toBe(1);
    expect(stderr).toBe(`Another Downburst uses ${folder}; stop it, or choose another folder with --data.\n`);
    expect((await fetch(`${first.url}/health`)).status).toBe(200);
  });

  it('is refused with one sentence when the port is taken', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void other.close());
    const { port } = other.address() as AddressInfo;
    const { code, stderr } = await runMain(['--port', String(port), '--data', await tempFolder()]).exit;
    expect(code).toBe(1);
    expect(stderr).toBe(`Port ${port} is taken by another program; choose another one with --port.\n`);
  });

  it('is refused with one sentence when the data folder is a file', async () => {
    const file = join(await tempFolder(), 'data');
    await writeFile(file, '');
    const { code, stderr } = await runMain(['--port', '0', '--data', file]).exit;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^[^\n]*data lies in a file and not in a folder; choose another one with --data\.\n$/);
  });
});

const closed = (status: StatusDocument) => status.finishedAt !== undefined;

async function submit(url: string, origin: FileOrigin, files: number, ...more: string[]): Promise<StatusDocument> {
  const urls = Array.from({ length: files }, (_, n) => origin.file(n));
  const answer = await fetch(`${url}/batches`, {
    method: 'POST',
    headers: { 'content-type': 'text/plain' },
    body: [...urls, ...more].join('\n'),
  });
  expect(answer.status).toBe(202);
  return (await answer.json()) as StatusDocument;
}

async function status(url: string, id: string): Promise<StatusDocument> {
  return (await (await fetch(`${url}/batches/${id}`)).json()) as StatusDocument;
}

/** Asks for the status until it is as wanted; every one on the way must add up, and no count may go back. */
async function watch(
  url: string,
  id: string,
  wanted: (status: StatusDocument) => boolean,
  since?: StatusDocument,
): Promise<StatusDocument> {
  let last = since;
  for (;;) {
    const now = await status(url, id);
    expect(now.done + now.failed + now.skipped + now.cancelled + now.pending).toBe(now.total);
    expect(now.pending).toBeGreaterThanOrEqual(0);
    for (const count of ['done', 'failed', 'skipped', 'cancelled', 'bytes'] as const) {
      expect(now[count]).toBeGreaterThanOrEqual(last?.[count] ?? 0);
    }
    if (wanted(now)) return now;
    last = now;
    // Asking without a pause would take the time of what is asked about.
    await setTimeout(50);
  }
}

/** Expects one outcome for each of the files, and each stored whole. */
async function expectWhole(folder: string, url: string, status: StatusDocument, files: number): Promise<void> {
  const outcomes: FileDocument[] = [];
  let cursor = '';
  do {
    const answer = await fetch(`${url}/batches/${status.id}/files?state=done&limit=1000${cursor}`);
    const page = (await answer.json()) as { files: FileDocument[]; nextCursor?: string };
    outcomes.push(...page.files);
    cursor = page.nextCursor === undefined ? '' : `&cursor=${encodeURIComponent(page.nextCursor)}`;
  } while (cursor !== '');

  outcomes.sort((a, b) => a.index - b.index);
  expect(outcomes.map(({ index }) => index)).toEqual(Array.from({ length: files }, (_, n) => n + 1));
  for (const { index, key } of outcomes) {
    const stored = await readFile(join(folder, 'files', status.options.prefix, key));
    expect(createHash('sha256').update(stored).digest('hex')).toBe(fileSha256(index - 1));
  }
}
