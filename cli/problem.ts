import type { FieldError, ProblemDocument } from '../http/problem.ts';
import { flagOf } from './batch-options.ts';

/** How many things that are wrong with a list are shown. */
const SHOWN_ERRORS = 10;

/** The service refused a request and said why. */
export class ProblemError extends Error {
  readonly problem: ProblemDocument;

  constructor(problem: ProblemDocument) {
    super(problemText(problem));
    this.name = 'ProblemError';
    this.problem = problem;
  }
}

/** Whether an answer's body is a problem document. */
export function isProblem(value: unknown): value is ProblemDocument {
  return (
    typeof value === 'object' &&
    value !== null &&
    'type' in value &&
    String(value.type).startsWith('urn:downburst:problem:') &&
    'detail' in value
  );
}

/** What is wrong, in lines: a flag is named as the user knows it. */
export function problemText({ detail, errors = [] }: Pick<ProblemDocument, 'detail' | 'errors'>): string {
  const lines = errors.slice(0, SHOWN_ERRORS).map((error) => `  ${errorText(error)}`);
  const more = errors.length - SHOWN_ERRORS;
  return [detail, ...lines, ...(more > 0 ? [`  and ${more} more`] : [])].join('\n');
}

function errorText({ line, column, field, value, reason }: FieldError): string {
  const place = [line === undefined ? '' : `line ${line}`, column === undefined ? '' : `column ${column}`];
  const subject = line === undefined ? flagOf(field) : field;
  const where = [...place, subject].filter((part) => part !== '').join(', ');
  return `${where === '' ? '' : `${where} `}${value === undefined || value === '' ? '' : `'${value}' `}${reason}`;
}
