import { TOKEN } from '../http1/head.ts';
import { MAX_HEADER_BYTES, MAX_HEADERS } from '../model/limits.ts';
import { shorten } from '../model/redact.ts';

/** Headers that the download itself decides on: framing, connection, ranges, encoding. */
const RESERVED = new Set([
  'accept-encoding',
  'connection',
  'content-length',
  'expect',
  'host',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'keep-alive',
  'range',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/**
 * The request headers that a user gave, names in lower case. What is wrong is reported by field, without any value:
 * headers hold secrets.
 */
export function readHeaders(
  value: unknown,
  report: (field: string, value: string, reason: string) => void,
): Record<string, string> {
  // A map, since `__proto__` is a header name like any other.
  const headers = new Map<string, string>();
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    report('headers', '', 'is not an object of names and values');
    return {};
  }
  let bytes = 0;
  for (const [given, text] of Object.entries(value) as [string, unknown][]) {
    const name = given.toLowerCase();
    // Of what is no name only the part that looks like one: `Authorization: Bearer …` holds a secret.
    const field = `headers.${shorten(/^[^\s:=]*/.exec(given)?.[0] ?? '')}`;
    if (!TOKEN.test(given)) report(field, '', 'is not a header name');
    else if (RESERVED.has(name) || name.startsWith('proxy-')) report(field, '', 'is set by the download itself');
    else if (headers.has(name)) report(field, '', 'is given twice');
    else if (typeof text !== 'string') report(field, '', 'has a value that is not a string');
    // RFC 9110, section 5.5: visible characters, spaces and tabs, and bytes above ASCII.
    else if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(text)) report(field, '', 'has a value that no header may have');
    else {
      bytes += name.length + text.length;
      headers.set(name, text.trim());
    }
  }
  if (headers.size > MAX_HEADERS) report('headers', '', `are more than ${MAX_HEADERS}`);
  if (bytes > MAX_HEADER_BYTES) report('headers', '', `are more than ${MAX_HEADER_BYTES} bytes`);
  return Object.fromEntries(headers);
}
