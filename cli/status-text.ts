import type { BatchItemDocument, FileDocument, StatusDocument } from '../http/documents.ts';
import { problemText } from './problem.ts';
import { failureParts, progressText } from './progress.ts';
import { byteSize, count, counted, duration } from '../core/model/text.ts';

/** Documents of the API for people. */

export function statusText(status: StatusDocument): string {
  const { id, name, state, reason, createdAt, finishedAt, total, done, failed, skipped, cancelled, bytes } = status;
  const seconds = ((finishedAt === undefined ? Date.now() : Date.parse(finishedAt)) - Date.parse(createdAt)) / 1000;
  const counts = [
    `${count(done)} stored (${byteSize(bytes)})`,
    `${count(failed)} failed`,
    `${count(skipped)} skipped`,
    ...(cancelled > 0 ? [`${count(cancelled)} cancelled`] : []),
    `${count(status.pending)} pending`,
  ];
  return [
    `${id}${name === undefined ? '' : `  ${name}`}`,
    `${state}${reason === undefined ? '' : ` (${reason})`}, begun ${createdAt}, ${finishedAt === undefined ? 'for' : 'took'} ${duration(seconds)}`,
    `${counted(total, 'file')}: ${counts.join(', ')}`,
    ...(finishedAt === undefined ? [progressText(status)] : []),
    ...(failed > 0 ? [`failed: ${failureParts(status, Infinity).join(', ')}`] : []),
    ...(status.retryOf === undefined ? [] : [`retries what failed of ${status.retryOf}`]),
    ...(status.problem ? [problemText(status.problem)] : []),
    ...status.warnings.map((warning) => `warning: ${warning}`),
  ].join('\n');
}

/** One line of a list of batches. */
export function batchText({ id, name = '', state, createdAt, total }: BatchItemDocument): string {
  return [id, createdAt.slice(0, 19), state.padEnd(10), count(total).padStart(10), name].join('  ').trimEnd();
}

/** One line of a list of outcomes. */
export function fileText({ index, state, key, url, code, message, bytes, link }: FileDocument): string {
  if (state === 'failed') return [index, state, code, url, message].join('\t');
  return [index, state, bytes ?? '', key, ...(link === undefined ? [] : [link])].join('\t');
}
