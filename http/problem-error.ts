import type { ProblemDocument } from './problem.ts';

/** For clients of the API: the service refuses a request, and says why. */
export class ProblemError extends Error {
  readonly problem: ProblemDocument;

  constructor(problem: ProblemDocument) {
    super(problem.detail);
    this.name = 'ProblemError';
    this.problem = problem;
  }
}

/** Whether an answer's body is a problem of Downburst's, and not of something in between. */
export function isProblem(value: unknown): value is ProblemDocument {
  return (
    typeof value === 'object' &&
    value !== null &&
    'type' in value &&
    String(value.type).startsWith('urn:downburst:problem:') &&
    'detail' in value
  );
}
