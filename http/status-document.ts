import type { LinkedOutcome } from '../core/batch/links.ts';
import type { BatchListEntry, BatchStatus } from '../core/batch/status.ts';
import { publicOptions } from '../core/model/options.ts';
import type { BatchItemDocument, FileDocument, StatusDocument } from './documents.ts';
import { listProblem, problemDocument } from './problem.ts';

/** Whether nothing of a batch will change any more. */
export function isClosed(status: Pick<BatchStatus, 'state'>): boolean {
  return status.state === 'finished' || status.state === 'cancelled' || status.state === 'rejected';
}

export function pathOf(batchId: string): string {
  return `/batches/${batchId}`;
}

/** A batch's status as JSON; times are ISO 8601. */
export function statusDocument(status: BatchStatus): StatusDocument {
  const { createdAt, deadline, finishedAt, options, rejection, ...rest } = status;
  return {
    ...rest,
    createdAt: isoTime(createdAt),
    deadline: isoTime(deadline),
    finishedAt: optionalTime(finishedAt),
    problem: rejection && problemDocument(listProblem(rejection)),
    options: publicOptions(options),
    links: linksOf(status),
  };
}

function linksOf(status: BatchStatus): StatusDocument['links'] {
  const self = pathOf(status.id);
  const closed = isClosed(status);
  return {
    self,
    files: `${self}/files`,
    failed: closed && status.failed > 0 ? `${self}/files?state=failed` : undefined,
    summary: closed ? `${self}/summary` : undefined,
    cancel: closed ? undefined : `${self}/cancel`,
  };
}

/** A file's outcome as JSON. */
export function fileDocument(outcome: LinkedOutcome): FileDocument {
  return { ...outcome, settledAt: isoTime(outcome.settledAt) };
}

/** A batch in the list of batches as JSON. */
export function batchItemDocument(item: BatchListEntry): BatchItemDocument {
  return { ...item, createdAt: isoTime(item.createdAt), finishedAt: optionalTime(item.finishedAt) };
}

function optionalTime(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : isoTime(ms);
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
