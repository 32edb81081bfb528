import type { FileDocument, StatusDocument } from '../../http/documents.ts';
import type { Send } from './connection.ts';

/** Fails a check; what it says is for the table. */
export function expect(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

export interface Service {
  send: Send;
  /** Sends JSON; answers the document, and fails unless the status is as expected. */
  call: <T>(
    method: string,
    path: string,
    expected: number,
    body?: unknown,
    headers?: Record<string, string>,
  ) => Promise<T>;
  /** Starts a batch, which is removed in the end. */
  start: (body: object, headers?: Record<string, string>) => Promise<StatusDocument>;
  /** Waits until this holds of a batch, and sees at every look that its counts are sound. */
  until: (id: string, holds: (status: StatusDocument) => boolean) => Promise<StatusDocument>;
  closed: (id: string) => Promise<StatusDocument>;
  files: (id: string, query?: string) => Promise<FileDocument[]>;
  /** Notes a batch that something else has started, for the removal. */
  note: (id: string) => void;
  /** Cancels what is open and deletes all batches of this run. */
  cleanUp: () => Promise<void>;
}

/** Seconds that the service is asked to wait at a time. */
const WAIT_SECONDS = 5;
/** Looks at a batch, each of up to so many seconds, before it is given up. */
const MAX_LOOKS = 120;

/** The API (docs/api.md), with what every check needs of it. */
export function createService(send: Send): Service {
  const started = new Set<string>();

  const service: Service = {
    send,
    async call(method, path, expected, body, headers = {}) {
      const answer = await send(method, path, {
        headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const text = await answer.text();
      expect(
        answer.status === expected,
        `${method} ${path} answered ${answer.status}, not ${expected}: ${text.slice(0, 300)}`,
      );
      return (text === '' ? undefined : JSON.parse(text)) as never;
    },
    async start(body, headers) {
      const status = await service.call<StatusDocument>('POST', '/batches', 202, body, headers);
      started.add(status.id);
      return status;
    },
    async until(id, holds) {
      let before: StatusDocument | undefined;
      for (let look = 0; look < MAX_LOOKS; look++) {
        const query = before === undefined ? 0 : WAIT_SECONDS;
        const status = await service.call<StatusDocument>('GET', `/batches/${id}/wait?timeoutSeconds=${query}`, 200);
        expectSound(status, before);
        if (holds(status)) return status;
        before = status;
      }
      throw new Error(`the batch ${id} did not come to its end: ${JSON.stringify(before)}`);
    },
    closed: (id) => service.until(id, ({ finishedAt }) => finishedAt !== undefined),
    async files(id, query = '') {
      const files: FileDocument[] = [];
      let cursor: string | undefined;
      do {
        const from = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
        const path = `/batches/${id}/files?limit=100${from}${query}`;
        const page = await service.call<{ files: FileDocument[]; nextCursor?: string }>('GET', path, 200);
        files.push(...page.files);
        cursor = page.nextCursor;
      } while (cursor !== undefined);
      return files;
    },
    note: (id) => void started.add(id),
    async cleanUp() {
      for (const id of started) {
        // One that is over already cannot be cancelled, and one that is deleted is not there.
        await send('POST', `/batches/${id}/cancel`);
        const { status } = await send('GET', `/batches/${id}`);
        if (status === 404) continue;
        await service.closed(id);
        await service.call('DELETE', `/batches/${id}`, 204);
      }
    },
  };
  return service;
}

/** Every entry is in one of the counts, and none of those that are final goes back. */
function expectSound(status: StatusDocument, before: StatusDocument | undefined): void {
  const { total, done, failed, skipped, cancelled, pending } = status;
  expect(
    total === done + failed + skipped + cancelled + pending,
    `the counts do not add up: ${JSON.stringify({ total, done, failed, skipped, cancelled, pending })}`,
  );
  for (const name of ['done', 'failed', 'skipped', 'cancelled', 'bytes'] as const) {
    const earlier = before?.[name] ?? 0;
    expect(status[name] >= earlier, `${name} went back from ${earlier} to ${status[name]}`);
  }
}
