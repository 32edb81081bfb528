import { join } from 'node:path';
import type { FileDocument } from '../http/documents.ts';
import { sha256 } from './sources.ts';
import type { Source } from './sources.ts';

/** What came of the batch that should not have; nothing if all is as expected. */
export async function unexpected(
  sources: readonly Source[],
  files: readonly FileDocument[],
  batchFolder: string,
): Promise<string[]> {
  const problems: string[] = [];
  const byUrl = new Map<string, FileDocument>();
  for (const file of files) {
    if (byUrl.has(file.url)) problems.push(`${file.url} has two outcomes`);
    byUrl.set(file.url, file);
  }
  for (const source of sources) {
    const problem = await judge(source, byUrl.get(source.url), batchFolder);
    if (problem !== undefined) problems.push(`${source.url} ${problem}`);
    byUrl.delete(source.url);
  }
  for (const url of byUrl.keys()) problems.push(`${url} was never asked for`);
  return problems;
}

async function judge(source: Source, file: FileDocument | undefined, folder: string): Promise<string | undefined> {
  if (!file) return 'has no outcome';
  const outcome = file.code ?? file.state;
  if (source.expected === 'failed') {
    return file.code !== undefined && source.codes.includes(file.code) ? undefined : `ended as ${outcome}`;
  }
  if (file.state !== 'done') return `ended as ${outcome}: ${file.message ?? ''}`;
  const wanted = await source.sha256();
  if (file.sha256 !== wanted) return 'was reported with another SHA-256 than its source has';
  const found = await sha256(join(folder, file.key));
  return found === wanted ? undefined : `is stored with SHA-256 ${found}, its source has ${wanted}`;
}
