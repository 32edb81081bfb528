import type { Entry } from '../model/entry.ts';
import type { ListProblem } from '../model/errors.ts';
import { MAX_KEY_BYTES, MAX_URL_BYTES } from '../model/limits.ts';
import { FAILURE_FIELDS } from '../model/outcome.ts';
import { redactUrl } from '../model/redact.ts';
import { readHeaders } from './headers.ts';
import { defaultKey, keyProblem, templateKey } from './keys.ts';
import type { ReadItem } from '../lists/item.ts';

/** What an entry of a list can say. */
export const ENTRY_FIELDS = ['url', 'key', 'headers', 'size', 'md5', 'sha256'] as const;
/** What a failed list says besides; passed over, so that the list can be posted again. */
export const PASSED_OVER_FIELDS = FAILURE_FIELDS;
const KNOWN: ReadonlySet<string> = new Set([...ENTRY_FIELDS, ...PASSED_OVER_FIELDS]);

/** How keys are made where an entry brings none. */
export interface KeyRule {
  prefix: string;
  keyTemplate?: string | undefined;
}

/** The entry that an item means, or everything that is wrong with it. */
export function checkEntry({ line, value, problem: unread }: ReadItem, rule: KeyRule): Entry | ListProblem[] {
  if (unread) return [{ line, ...unread }];
  const problems: ListProblem[] = [];
  const problem = (field: string, found: string, reason: string) =>
    problems.push({ line, field, value: found, reason });

  const item = typeof value === 'string' ? { url: value } : value;
  if (typeof item !== 'object' || item === null || Array.isArray(item)) {
    problem('', shown(value), 'is neither a URL nor an object with one');
    return problems;
  }
  for (const field of Object.keys(item)) {
    if (!KNOWN.has(field)) problem(redactUrl(field), '', `is not known; an entry has ${ENTRY_FIELDS.join(', ')}`);
  }
  const fields: Partial<Record<(typeof ENTRY_FIELDS)[number], unknown>> = item;

  const url = checkUrl(fields.url, problem);
  const size = checkSize(fields.size, problem);
  const md5 = checkDigest('md5', 32, fields.md5, problem);
  const sha256 = checkDigest('sha256', 64, fields.sha256, problem);
  const headers = fields.headers === undefined ? undefined : readHeaders(fields.headers, problem);
  const key = url === undefined ? undefined : checkKey(fields.key, url, line, rule, problem);

  if (problems.length > 0 || url === undefined || key === undefined) return problems;
  const entry: Entry = { index: line, url: url.href, key };
  if (headers && Object.keys(headers).length > 0) entry.headers = headers;
  if (size !== undefined) entry.size = size;
  if (md5 !== undefined) entry.md5 = md5;
  if (sha256 !== undefined) entry.sha256 = sha256;
  return entry;
}

type Report = (field: string, value: string, reason: string) => unknown;

function checkUrl(value: unknown, report: Report): URL | undefined {
  const url = typeof value === 'string' ? URL.parse(value) : null;
  const problem = urlProblem(value, url);
  if (problem !== undefined) report('url', shown(value), problem);
  if (problem !== undefined || !url) return undefined;
  // Setting it costs as much as parsing.
  if (url.href.includes('#')) url.hash = '';
  return url;
}

/** What is wrong with a value and the URL that it was parsed to. */
function urlProblem(value: unknown, url: URL | null): string | undefined {
  if (typeof value !== 'string' || value === '') return 'is missing or not a string';
  if (Buffer.byteLength(value) > MAX_URL_BYTES) return `is longer than ${MAX_URL_BYTES} bytes`;
  if (!url) return 'is not an absolute URL, like https://example.com/file';
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return 'is neither http nor https';
  if (url.username !== '' || url.password !== '') return 'has credentials in it; send them as a header';
  return url.port === '0' ? 'has port 0' : undefined;
}

function checkSize(value: unknown, report: Report): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  report('size', shown(value), 'is not a number of bytes');
  return undefined;
}

function checkDigest(field: string, digits: number, value: unknown, report: Report): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && value.length === digits && /^[0-9a-f]+$/i.test(value)) return value.toLowerCase();
  report(field, shown(value), `is not ${digits} hex digits`);
  return undefined;
}

function checkKey(value: unknown, url: URL, line: number, rule: KeyRule, report: Report): string | undefined {
  if (value === undefined && rule.keyTemplate === undefined) return defaultKey(url.href);
  if (value !== undefined && typeof value !== 'string') {
    report('key', shown(value), 'is not a string');
    return undefined;
  }
  const key = (value ?? templateKey(rule.keyTemplate ?? '', url, line)).normalize('NFC');
  const problem = keyProblem(key, MAX_KEY_BYTES - Buffer.byteLength(rule.prefix));
  if (problem === undefined) return key;
  report('key', shown(key), problem);
  return undefined;
}

/** A value fit for messages. What is in the wrong field may be anything, a signed URL say. */
function shown(value: unknown): string {
  if (typeof value === 'string') return redactUrl(value);
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return String(value);
  if (value === undefined) return '';
  return Array.isArray(value) ? 'an array' : 'an object';
}
