import { readHeaders } from '../core/plan/headers.ts';
import { invalidRequest, type FieldError } from './problem.ts';

/**
 * The request headers that a body gives for a whole batch; none if it gives none.
 *
 * @param above what their field is in, as `options.`
 * @throws Problem, naming every header that cannot be used, and no value
 */
export function checkHeaders(value: unknown, above = ''): Record<string, string> {
  if (value === undefined) return {};
  const errors: FieldError[] = [];
  const headers = readHeaders(value, (field, _, reason) => errors.push({ field: `${above}${field}`, reason }));
  if (errors.length > 0) throw invalidRequest(errors);
  return headers;
}
