import type { Context } from 'hono';
import type { ListSubmission, Submission, Wishes } from '../core/batch/submit.ts';
import { readList } from '../core/lists/formats.ts';
import { MAX_INLINE_LIST_BYTES } from '../core/model/limits.ts';
import { bodyFormat, readBody, readJson } from './body.ts';
import { readOptionsQuery, readQuery } from './query.ts';
import { checkHeaders } from './request-headers.ts';
import {
  check,
  listSubmissionSchema,
  querySubmissionSchema,
  submissionQuerySchema,
  submissionSchema,
} from './schemas.ts';
import type { WishesBody } from './schemas.ts';

interface ReadSubmission {
  submission: Submission | ListSubmission;
  json: boolean;
  dryRun: boolean;
}

/**
 * What a request for a batch asks for: with a list in its body or of one that was uploaded; `json` where its options
 * came in the body; `dryRun` where it is only to be tried. Errors: `Problem`; `InvalidListError` where the body cannot be
 * unpacked or decoded.
 */
export async function readSubmission(c: Context): Promise<ReadSubmission> {
  const format = bodyFormat(c.req.raw.headers);
  if (format === 'json') return readJsonSubmission(c);
  const query = check(querySubmissionSchema, readOptionsQuery(c.req.url));
  const { name, format: said = format, dryRun, ...options } = query;
  const items = readList(readBody(c), said, MAX_INLINE_LIST_BYTES);
  return { submission: { ...named(name), items, options, headers: {} }, json: false, dryRun };
}

async function readJsonSubmission(c: Context): Promise<ReadSubmission> {
  const { dryRun } = check(submissionQuerySchema, readQuery(c.req.url));
  const body = await readJson(c);
  if (typeof body === 'object' && body !== null && 'listId' in body) {
    const { listId, format, ...wishes } = check(listSubmissionSchema, body);
    return { submission: { ...readWishes(wishes), list: { id: listId, format } }, json: true, dryRun };
  }
  const { urls, ...wishes } = check(submissionSchema, body);
  const items = urls.map((value, at) => ({ line: at + 1, value }));
  return { submission: { ...readWishes(wishes), items }, json: true, dryRun };
}

function readWishes({ name, options: given = {} }: WishesBody): Wishes {
  const { headers, ...options } = given;
  return { ...named(name), options, headers: checkHeaders(headers, 'options.') };
}

function named(name: string | undefined): { name?: string } {
  return name === undefined ? {} : { name };
}
