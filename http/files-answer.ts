import type { Context } from 'hono';
import Negotiator from 'negotiator';
import type { FileDocument } from './documents.ts';
import { Problem } from './problem.ts';

/** The first one is for who does not say, or takes anything. */
const FORMATS = ['application/json', 'application/x-ndjson', 'text/csv'] as const;

type Format = (typeof FORMATS)[number];

/** A column for every field that an outcome can have. */
const COLUMNS = [
  'index',
  'url',
  'key',
  'state',
  'bytes',
  'sha256',
  'contentType',
  'httpStatus',
  'code',
  'message',
  'attempts',
  'lengthVerified',
  'settledAt',
  'link',
] as const satisfies (keyof FileDocument)[];

/** Which of the formats the client likes best (RFC 9110, 12.5.1). Errors: `Problem` if it takes none. */
export function filesFormat(accept: string | undefined): Format {
  const best = new Negotiator({ headers: { accept } }).mediaType([...FORMATS]);
  const format = FORMATS.find((format) => format === best);
  if (format) return format;
  throw new Problem('not-acceptable', `Files are listed as ${FORMATS.join(', ')}; send one of these as Accept.`);
}

/** Answers with a page of outcomes; the next page's address is in the Link header (RFC 8288), whatever the format. */
export async function answerFiles(
  c: Context,
  format: Format,
  files: FileDocument[],
  nextCursor?: string,
): Promise<Response> {
  c.header('vary', 'accept');
  if (nextCursor !== undefined) c.header('link', `<${nextPath(c.req.url, nextCursor)}>; rel="next"`);
  if (format === 'application/json') return c.json({ files, nextCursor });
  c.header('content-type', format === 'text/csv' ? 'text/csv; charset=utf-8; header=present' : format);
  return c.body(format === 'text/csv' ? await toCsv(files) : files.map((file) => `${JSON.stringify(file)}\n`).join(''));
}

/** CSV by RFC 4180 with a header row. What a spreadsheet would run as a formula gets a \' before it. */
async function toCsv(files: FileDocument[]): Promise<string> {
  // Loaded when somebody asks for it, and not at every cold start.
  const { stringify } = await import('csv-stringify/sync');
  return stringify(files, {
    header: true,
    columns: [...COLUMNS],
    record_delimiter: 'windows',
    escape_formulas: true,
    cast: { boolean: String },
  });
}

/** The same request for the next page. */
function nextPath(url: string, cursor: string): string {
  const { pathname, searchParams } = new URL(url);
  searchParams.set('cursor', cursor);
  return `${pathname}?${searchParams.toString()}`;
}
