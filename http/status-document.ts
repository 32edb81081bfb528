import type { BatchListEntry, BatchStatus } from '../core/batch/status.ts';
import type { BatchOptions } from '../core/model/options.ts';
import type { Outcome } from '../core/model/outcome.ts';

type Times = 'deadline' | 'createdAt' | 'finishedAt';

/** A batch's status as JSON; times are ISO 8601. */
export interface StatusDocument extends Omit<BatchStatus, Times | 'options'> {
  deadline: string;
  createdAt: string;
  finishedAt?: string | undefined;
  /** As a user may send them: without what is internal. */
  options: Omit<BatchOptions, 'ownPrefix'> & { ownPrefix?: undefined };
  warnings: string[];
  /** Paths; `cancel` is there while a batch can be cancelled. */
  links: { self: string; files: string; cancel?: string | undefined };
}

/** A file's outcome as JSON. */
export interface FileDocument extends Omit<Outcome, 'settledAt'> {
  settledAt: string;
}

/** Whether nothing of a batch will change any more. */
export function isClosed(status: Pick<BatchStatus, 'state'>): boolean {
  return status.state === 'finished' || status.state === 'cancelled';
}

export function pathOf(batchId: string): string {
  return `/batches/${batchId}`;
}

export function statusDocument(status: BatchStatus): StatusDocument {
  const self = pathOf(status.id);
  return {
    ...status,
    deadline: isoTime(status.deadline),
    createdAt: isoTime(status.createdAt),
    finishedAt: optionalTime(status.finishedAt),
    options: { ...status.options, ownPrefix: undefined },
    warnings: [],
    links: { self, files: `${self}/files`, cancel: isClosed(status) ? undefined : `${self}/cancel` },
  };
}

export function fileDocument(outcome: Outcome): FileDocument {
  return { ...outcome, settledAt: isoTime(outcome.settledAt) };
}

/** A batch in the list of batches as JSON. */
export interface BatchItemDocument extends Omit<BatchListEntry, 'createdAt' | 'finishedAt'> {
  createdAt: string;
  finishedAt?: string | undefined;
}

export function batchItemDocument(item: BatchListEntry): BatchItemDocument {
  const { id, name, state, createdAt, finishedAt, total } = item;
  return { id, name, state, createdAt: isoTime(createdAt), finishedAt: optionalTime(finishedAt), total };
}

function optionalTime(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : isoTime(ms);
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
