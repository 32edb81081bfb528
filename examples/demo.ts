import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { FileDocument, StatusDocument } from '../http/documents.ts';
import { unexpected } from './check.ts';
import { createProgress, megabytes } from './progress.ts';
import { startService } from './service.ts';
import { startSources } from './sources.ts';
import type { Source } from './sources.ts';

/**
 * Downloads 1,200 real files, one of 300 MB, and a few that fail, from servers on this machine into a fresh folder,
 * through the HTTP API of an embedded service; then compares every stored file with its source.
 */

const PACKAGES = fileURLToPath(new URL('../node_modules', import.meta.url));
const POLL_MS = 500;

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort());

const folder = await mkdtemp(join(tmpdir(), 'downburst-demo-'));
try {
  process.exitCode = (await run(folder)) ? 0 : 1;
} catch (error) {
  await rm(folder, { recursive: true, force: true });
  if (!interrupted.signal.aborted) throw error;
  console.log(`\nInterrupted; ${folder} is removed.`);
  process.exitCode = 130;
}

/** Whether all of it came out as expected. */
async function run(folder: string): Promise<boolean> {
  await using stack = new AsyncDisposableStack();
  const sources = await startSources(PACKAGES);
  stack.defer(() => sources.close());
  const service = await startService(folder);
  stack.defer(() => service.stop());

  const { id } = await call<StatusDocument>(`${service.url}/batches`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      name: 'demo',
      urls: sources.all.map(({ url }) => url),
      // Three attempts: what fails for good has then failed within seconds, not after an hour.
      options: { maxAttempts: 3 },
    }),
  });
  console.log(`Batch ${id}: ${sources.all.length} URLs.`);

  const status = await watch(`${service.url}/batches/${id}`);
  const files = await outcomes(`${service.url}/batches/${id}/files?limit=1000`);

  console.log('Comparing every stored file with its source …');
  const batchFolder = join(folder, 'files', status.options.prefix);
  const problems = await unexpected(sources.all, files, batchFolder);
  report(status, files, sources.all);
  for (const problem of problems) console.log(`NOT AS EXPECTED: ${problem}`);
  console.log(`\nThe files are in ${batchFolder}\nThey stay there; remove them with: rm -r ${folder}`);
  return problems.length === 0;
}

/** Shows the batch's progress until it is closed. */
async function watch(url: string): Promise<StatusDocument> {
  const startedAt = performance.now();
  const progress = createProgress(process.stdout);
  try {
    for (;;) {
      const status = await call<StatusDocument>(url);
      progress.show(status, (performance.now() - startedAt) / 1000);
      if (status.finishedAt !== undefined) return status;
      await setTimeout(POLL_MS, undefined, { signal: interrupted.signal });
    }
  } finally {
    progress.end();
  }
}

/** Every outcome of the batch, page by page. */
async function outcomes(url: string): Promise<FileDocument[]> {
  const files: FileDocument[] = [];
  let cursor: string | undefined;
  do {
    const from = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const page = await call<{ files: FileDocument[]; nextCursor?: string }>(url + from);
    files.push(...page.files);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return files;
}

function report(status: StatusDocument, files: FileDocument[], sources: readonly Source[]): void {
  // Until the last file was there; what fails for good takes its pauses after that.
  const ends = files.filter(({ state }) => state === 'done').map(({ settledAt }) => Date.parse(settledAt));
  const seconds = (Math.max(...ends) - Date.parse(status.createdAt)) / 1000;
  const rate = `${Math.round(status.done / seconds)} files/s, ${megabytes(status.bytes / seconds)}/s`;
  console.log(`\nDone:   ${status.done} files, ${megabytes(status.bytes)} in ${seconds.toFixed(1)} s (${rate})`);
  console.log(`Failed: ${status.failed} files`);
  for (const file of files) {
    if (file.state !== 'failed') continue;
    const source = sources.find(({ url }) => url === file.url);
    const story = source?.expected === 'failed' ? source.story : 'should not have failed';
    const attempts = file.attempts === 1 ? '1 attempt' : `${file.attempts} attempts`;
    console.log(`  ${(file.code ?? '').padEnd(15)} ${new URL(file.url).pathname} (${story}), ${attempts}`);
  }
}

async function call<T>(url: string, init: RequestInit = {}): Promise<T> {
  const response = await fetch(url, { ...init, signal: interrupted.signal });
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
}
