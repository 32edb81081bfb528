import type { FieldError, ProblemDocument } from '../http/problem.ts';
import { flagOf } from './batch-options.ts';

/** How many things that are wrong with a list are shown. */
const SHOWN_ERRORS = 10;

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
