import type { StatusDocument } from '../http/documents.ts';
import { ProblemError } from '../http/problem-error.ts';
import { EXIT, type ExitCode } from './exit.ts';

/**
 * The exit code of a command that followed a batch to its end.
 *
 * @throws ProblemError for a batch whose list cannot be used
 */
export function exitOf({ failed, cancelled, pending, problem }: StatusDocument): ExitCode {
  if (problem) throw new ProblemError(problem);
  return failed + cancelled + pending > 0 ? EXIT.failed : EXIT.ok;
}
