import { dryRun } from '../core/batch/dry-run.ts';
import { readList } from '../core/lists/formats.ts';
import { MAX_LIST_BYTES } from '../core/model/limits.ts';
import type { DryRunDocument } from '../http/documents.ts';
import { ProblemError } from '../http/problem-error.ts';
import { asProblem, problemDocument } from '../http/problem.ts';
import { checkHeaders } from '../http/request-headers.ts';
import { check, optionsSchema } from '../http/schemas.ts';
import { limitsFor } from '../local/stores.ts';
import type { Submission } from './client.ts';
import { byteSize, count, counted, duration } from '../core/model/text.ts';

/**
 * What a list of any size would start on this machine; nothing is written, not even a folder.
 *
 * @throws ProblemError
 */
export async function dryRunHere({ list, options, headers }: Submission, workers: number): Promise<DryRunDocument> {
  try {
    checkHeaders(headers);
    const items = readList(list.read(), list.format, MAX_LIST_BYTES);
    return await dryRun({ limits: limitsFor(workers) }, { items, options: check(optionsSchema, options) });
  } catch (error) {
    const problem = asProblem(error);
    throw problem ? new ProblemError(problemDocument(problem)) : error;
  }
}

/** A dry run for people. */
export function dryRunText({ total, duplicates, hosts, shards, firstKeys, estimate }: DryRunDocument): string {
  const left = duplicates > 0 ? `, ${counted(duplicates, 'duplicate')} left out` : '';
  const more = hosts.total - hosts.largest.length;
  return [
    `${counted(total, 'file')} of ${counted(hosts.total, 'host')}, in ${counted(shards, 'shard')}${left}.`,
    '',
    ...hosts.largest.map(
      ({ host, entries, connections }) =>
        `  ${host}  ${counted(entries, 'file')}, at most ${counted(connections, 'connection')}`,
    ),
    ...(more > 0 ? [`  and ${counted(more, 'host')} with fewer files`] : []),
    '',
    'The first files:',
    ...firstKeys.map((key) => `  ${key}`),
    '',
    `About ${duration(estimate.seconds)} and ${byteSize(estimate.bytes)}, if`,
    ...estimate.assumptions.map((assumption) => `  ${assumption}`),
    ...(estimate.cost ? [`Costs about $${count(estimate.cost.dollars)}.`] : []),
  ].join('\n');
}
