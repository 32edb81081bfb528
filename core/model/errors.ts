/** A request that cannot be granted; nothing of it was done. */
export abstract class RefusedError extends Error {}

/** No batch has this id. */
export class UnknownBatchError extends RefusedError {
  constructor(batchId: string) {
    super(`There is no batch ${batchId}.`);
    this.name = 'UnknownBatchError';
  }
}

/** No list has this id, or it was not uploaded. */
export class UnknownListError extends RefusedError {
  constructor(message: string) {
    super(message);
    this.name = 'UnknownListError';
  }
}

/** What was asked for does not go with the state that the batch is in. */
export class BatchStateError extends RefusedError {
  constructor(message: string) {
    super(message);
    this.name = 'BatchStateError';
  }
}

/** What is wrong with one entry of a list. */
export interface ListProblem {
  line: number;
  /** Where in the line, from 1, if known. */
  column?: number | undefined;
  /** `url`, `key`, `headers.X`, …; empty where the entry as a whole is wrong. */
  field: string;
  /** What was found, shortened, without credentials. */
  value: string;
  reason: string;
}

/** How many problems of one list are told. */
export const MAX_LIST_PROBLEMS = 100;

/** A list with bad entries, or without any; nothing of it was started. */
export class InvalidListError extends RefusedError {
  /** The first `MAX_LIST_PROBLEMS`. */
  readonly problems: readonly ListProblem[];

  constructor(message: string, problems: readonly ListProblem[], options?: ErrorOptions) {
    super(message, options);
    this.name = 'InvalidListError';
    this.problems = problems;
  }
}

/** What a batch's records speak of is not in the state store: it was deleted meanwhile, or has expired. */
export class StateLostError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'StateLostError';
  }
}

/** An option of a batch that cannot be used. */
export class InvalidOptionError extends RefusedError {
  readonly option: string;
  readonly reason: string;

  constructor(option: string, reason: string) {
    super(`${option}: ${reason}`);
    this.name = 'InvalidOptionError';
    this.option = option;
    this.reason = reason;
  }
}

/** As many batches are open as this deployment allows. */
export class TooManyBatchesError extends RefusedError {
  constructor(limit: number) {
    super(`${limit} batches are open, which is the most here; wait until one has ended, or cancel one.`);
    this.name = 'TooManyBatchesError';
  }
}

/** An idempotency key that was sent before, with another request. */
export class KeyReusedError extends RefusedError {
  constructor() {
    super('This key was sent with another request before; a new request needs a new key.');
    this.name = 'KeyReusedError';
  }
}

/** An idempotency key whose first request is still being worked on. */
export class KeyInUseError extends RefusedError {
  constructor() {
    super('The first request with this key is still in progress; send it again in a moment.');
    this.name = 'KeyInUseError';
  }
}
