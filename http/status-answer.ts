import type { Context } from 'hono';
import type { BatchStatus } from '../core/batch/status.ts';
import { isClosed, statusDocument } from './status-document.ts';

/** How long a client should wait before it asks again, in seconds: a checkpoint comes about every five. */
const RETRY_AFTER_SECONDS = 2;

/** Answers with a batch's status, and with when to ask again while it is not closed. */
export function answerStatus(c: Context, status: BatchStatus, code: 200 | 202 = 200): Response {
  if (!isClosed(status)) c.header('retry-after', String(RETRY_AFTER_SECONDS));
  return c.json(statusDocument(status), code);
}
