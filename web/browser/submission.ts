import type { DryRunDocument, ListDocument, StatusDocument } from '../../http/documents.ts';
import { MAX_INLINE_LIST_BYTES } from '../../core/model/limits.ts';
import type { PublicOptions } from '../../core/model/options.ts';
import { ProblemError } from '../../http/problem-error.ts';
import { AwayError, post, send } from './api.ts';
import type { GivenList } from './list.ts';
import { queryOf } from './route.ts';

/** What the user asks for. */
export interface Submission {
  list: GivenList;
  name?: string | undefined;
  options: Partial<PublicOptions>;
  /** Request headers: secrets. */
  headers: Record<string, string>;
}

/** Pauses before a request that nobody answered is sent again, in milliseconds. */
const AGAIN_MS = [1000, 2000, 4000];

/** Whether a list fits into a request's body; only then it can be checked without being started. */
export function isInline({ body, fileName = '' }: GivenList): boolean {
  // What is packed may be larger than it looks.
  return body.size <= MAX_INLINE_LIST_BYTES && !fileName.endsWith('.gz');
}

/** Says what a submission would start. Errors: as `send`. */
export async function checkSubmission(submission: Submission): Promise<DryRunDocument> {
  const response = await send(`batches${inlineQuery(submission)}&dryRun=true`, inlineRequest(submission));
  return (await response.json()) as DryRunDocument;
}

/**
 * Starts a batch: with its list in the request, or of a list that is uploaded first, which is the only way for large ones
 * and for request headers.
 *
 * @param uploaded told how much of a list is uploaded, from 0 to 1
 * @throws as `send`
 */
export async function submit(submission: Submission, uploaded: (share: number) => void): Promise<StatusDocument> {
  const { list, name, options, headers } = submission;
  if (isInline(list) && Object.keys(headers).length === 0) {
    const response = await sendOnce((key) => {
      const { headers, ...request } = inlineRequest(submission);
      return send(`batches${inlineQuery(submission)}`, { ...request, headers: { ...headers, ...key } });
    });
    return (await response.json()) as StatusDocument;
  }
  const { format, body, fileName } = list;
  const { listId, upload } = await post<ListDocument>('lists', { bytes: body.size, format, name: fileName });
  await put(upload, body, uploaded);
  const batch = { name, listId, format, options: { ...options, headers } };
  return sendOnce((key) => post<StatusDocument>('batches', batch, key));
}

/** Starts a batch of what failed in another. Errors: as `send`. */
export function retry(
  id: string,
  given: { codes: readonly string[]; headers: Record<string, string> },
): Promise<StatusDocument> {
  return sendOnce((key) => post<StatusDocument>(`batches/${id}/retry`, given, key));
}

function inlineQuery({ list, name, options }: Submission): string {
  const texts = (Object.entries(options) as [string, string | number | string[]][]).map(([option, value]) => [
    option,
    String(value),
  ]);
  return queryOf({ ...(Object.fromEntries(texts) as Record<string, string>), name, format: list.format });
}

function inlineRequest({ list }: Submission) {
  return { method: 'POST', body: list.body, headers: { 'content-type': 'text/plain' } };
}

/** Sends a request that starts something until it is answered; the key sees to it that it starts one thing. */
async function sendOnce<T>(request: (key: Record<string, string>) => Promise<T>): Promise<T> {
  const key = { 'idempotency-key': crypto.randomUUID() };
  for (const ms of AGAIN_MS) {
    try {
      return await request(key);
    } catch (error) {
      const inUse = error instanceof ProblemError && error.problem.type.endsWith(':idempotency-key-in-use');
      if (!inUse && !(error instanceof AwayError)) throw error;
      await new Promise((resolve) => setTimeout(resolve, ms));
    }
  }
  return request(key);
}

/** Uploads a list. By XMLHttpRequest, since fetch tells nothing of how much is sent. */
function put({ url, method, headers }: ListDocument['upload'], body: Blob, uploaded: (share: number) => void) {
  return new Promise<void>((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) {
      // The browser's own to send.
      if (name.toLowerCase() !== 'content-length') request.setRequestHeader(name, value);
    }
    request.upload.onprogress = ({ loaded, total }) => uploaded(total > 0 ? loaded / total : 1);
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve();
      else reject(new AwayError(`The list was not taken: ${request.status}.`));
    };
    request.onerror = () => reject(new AwayError('The list could not be sent.'));
    request.send(body);
  });
}
