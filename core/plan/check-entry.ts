import type { Entry } from '../model/entry.ts';
import type { ListProblem } from '../model/errors.ts';
import { MAX_KEY_BYTES, MAX_URL_BYTES } from '../model/limits.ts';
import { redactUrl, shorten } from '../model/redact.ts';
import { readHeaders } from './headers.ts';
import { defaultKey, keyProblem, templateKey } from './keys.ts';
import type { ListItem } from './text-list.ts';

const FIELDS = ['url', 'key', 'headers', 'size', 'md5', 'sha256'] as const;

/** How keys are made where an entry brings none. */
export interface KeyRule {
  prefix: string;
  keyTemplate?: string | undefined;
}

/** The entry that an item means, or everything that is wrong with it. */
export function checkEntry({ line, value }: ListItem, rule: KeyRule): Entry | ListProblem[] {
  const problems: ListProblem[] = [];
  const problem = (field: string, found: string, reason: string) =>
    problems.push({ line, field, value: found, reason });

  const item = typeof value === 'string' ? { url: value } : value;
  if (typeof item !== 'object' || item === null || Array.isArray(item)) {
    return [
      {
        line,
        field: '',
        value: shorten(String(JSON.stringify(value))),
        reason: 'is neither a URL nor an object with one',
      },
    ];
  }
  for (const field of Object.keys(item)) {
    if (!FIELDS.some((known) => known === field))
      problem(shorten(field), '', `is not known; an entry has ${FIELDS.join(', ')}`);
  }
  const fields: Partial<Record<(typeof FIELDS)[number], unknown>> = item;

  const url = checkUrl(fields.url, problem);
  const size = checkSize(fields.size, problem);
  const md5 = checkDigest('md5', 32, fields.md5, problem);
  const sha256 = checkDigest('sha256', 64, fields.sha256, problem);
  const headers = fields.headers === undefined ? undefined : readHeaders(fields.headers, problem);
  const key = url === undefined ? undefined : checkKey(fields.key, url, line, rule, problem);

  if (problems.length > 0 || url === undefined || key === undefined) return problems;
  const entry: Entry = { index: line, url, key };
  if (headers && Object.keys(headers).length > 0) entry.headers = headers;
  if (size !== undefined) entry.size = size;
  if (md5 !== undefined) entry.md5 = md5;
  if (sha256 !== undefined) entry.sha256 = sha256;
  return entry;
}

type Report = (field: string, value: string, reason: string) => unknown;

function checkUrl(value: unknown, report: Report): string | undefined {
  if (typeof value !== 'string' || value === '') {
    report('url', value === undefined ? '' : shorten(JSON.stringify(value)), 'is missing or not a string');
    return undefined;
  }
  const bad = (reason: string): undefined => {
    report('url', redactUrl(value), reason);
  };
  if (Buffer.byteLength(value) > MAX_URL_BYTES) {
    bad(`is longer than ${MAX_URL_BYTES} bytes`);
    return;
  }
  if (!URL.canParse(value)) {
    bad('is not an absolute URL, like https://example.com/file');
    return;
  }
  const url = new URL(value);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    bad('is neither http nor https');
    return;
  }
  if (url.username !== '' || url.password !== '') {
    bad('has credentials in it; send them as a header');
    return;
  }
  if (url.port === '0') {
    bad('has port 0');
    return;
  }
  url.hash = '';
  return url.href;
}

function checkSize(value: unknown, report: Report): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  report('size', shorten(JSON.stringify(value)), 'is not a number of bytes');
  return undefined;
}

function checkDigest(field: string, digits: number, value: unknown, report: Report): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && value.length === digits && /^[0-9a-f]+$/i.test(value)) return value.toLowerCase();
  report(field, shorten(JSON.stringify(value)), `is not ${digits} hex digits`);
  return undefined;
}

function checkKey(value: unknown, url: string, line: number, rule: KeyRule, report: Report): string | undefined {
  const room = MAX_KEY_BYTES - Buffer.byteLength(rule.prefix);
  if (value === undefined && rule.keyTemplate === undefined) return defaultKey(url, room);
  if (value !== undefined && typeof value !== 'string') {
    report('key', shorten(JSON.stringify(value)), 'is not a string');
    return undefined;
  }
  const key = (value ?? templateKey(rule.keyTemplate ?? '', url, line)).normalize('NFC');
  const problem = keyProblem(key, room);
  if (problem === undefined) return key;
  report('key', shorten(key), problem);
  return undefined;
}
