import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { ListDocument } from '../../../http/documents.ts';
import { createSqliteNotices, type Notices } from '../../../adapters/sqlite/notices.ts';
import { createLog } from '../../../local/log.ts';
import { startNotifier } from '../../../local/notifier.ts';
import { createManualClock } from '../../helpers/manual-clock.ts';
import { startServiceProcess } from '../../helpers/service.ts';
import { tempFolder } from '../../helpers/temp-folder.ts';
import { until } from '../../helpers/until.ts';
import { startFileOrigin } from './file-origin.ts';

const SECRET = Buffer.alloc(32, 7);
const DAY_MS = 86_400_000;

interface Received {
  headers: IncomingHttpHeaders;
  body: string;
}

/** A receiver that answers with `status`; with 0 it takes the request and says nothing. */
async function startReceiver() {
  const received: Received[] = [];
  const answers = { status: 204, received, url: '' };
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      received.push({ headers: request.headers, body });
      if (answers.status > 0) response.writeHead(answers.status, { location: '/elsewhere' }).end('thanks');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  answers.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?token=s3cr3t`;
  return answers;
}

async function createHarness(url: string) {
  const clock = createManualClock();
  const notices = createSqliteNotices(`${await tempFolder()}/notices.sqlite`);
  onTestFinished(() => notices.close());
  const lines: string[] = [];
  const log = createLog({ write: (line) => lines.push(line) }, () => clock.now());
  const start = (from: Notices = notices) => {
    // The longest pauses.
    const notifier = startNotifier({ notices: from, webhook: { url, secret: SECRET }, clock, random: () => 1, log });
    onTestFinished(() => notifier.stop());
    return notifier;
  };
  return { clock, notices, lines, start };
}

describe('a notice', () => {
  it('is POSTed, signed, until the receiver has taken it, and no longer', async () => {
    const receiver = await startReceiver();
    const { clock, notices, start } = await createHarness(receiver.url);
    const notifier = start();
    notices.add('b1', '{"id":"b1"}', clock.now());
    notices.add('b1', 'again', clock.now());
    notifier.wake();
    await until(() => notices.first() === undefined);
    expect(receiver.received).toHaveLength(1);
    const [{ headers, body }] = receiver.received as [Received];
    expect(body).toBe('{"id":"b1"}');
    expect(headers).toMatchObject({ 'content-type': 'application/json', 'webhook-id': 'b1' });
    expect(headers['webhook-timestamp']).toBe(String(clock.now() / 1000));
    const verifier = new Webhook(`whsec_${SECRET.toString('base64')}`);
    expect(() => verifier.verify(body, headers as Record<string, string>)).toThrow('too new');
  });

  it.each([500, 404, 302])('that is answered with %i is sent again, with growing pauses', async (status) => {
    const receiver = await startReceiver();
    receiver.status = status;
    const { clock, notices, lines, start } = await createHarness(receiver.url);
    notices.add('b1', '{}', clock.now());
    start();
    for (const [i, pause] of [2000, 8000, 32_000].entries()) {
      await until(() => notices.first()?.failures === i + 1 && clock.pending() === 1);
      expect(receiver.received).toHaveLength(i + 1);
      expect(clock.nextDue()).toBe(clock.now() + pause);
      if (i === 2) receiver.status = 200;
      await clock.advance(pause);
    }
    await until(() => notices.first() === undefined);
    expect(receiver.received).toHaveLength(4);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(
      `notice of batch b1 not taken: ${new URL(receiver.url).origin}/hook?… answered ${status}`,
    );
  });

  it('that nobody answers is sent again', async () => {
    const receiver = await startReceiver();
    receiver.status = 0;
    const { clock, notices, lines, start } = await createHarness(receiver.url);
    notices.add('b1', '{}', clock.now());
    start();
    await until(() => receiver.received.length === 1);
    await clock.advance(15_000);
    await until(() => notices.first()?.failures === 1);
    expect(lines[0]).toContain('did not answer within 15 s');
  });

  it('does not hold up another one, and is given up after a day, which the log tells', async () => {
    const { clock, notices, lines, start } = await createHarness('http://127.0.0.1:1/');
    notices.add('b1', '{}', clock.now() - DAY_MS);
    notices.add('b2', '{}', clock.now());
    start();
    await until(() => notices.first()?.id === 'b2' && notices.first()?.failures === 1);
    expect(lines[0]).toContain('notice of batch b1 given up after a day: http://127.0.0.1:1/ could not be reached');
    expect(lines[1]).toContain('notice of batch b2 not taken');
  });

  it('is delivered later when it could not be looked for, which the log tells once', async () => {
    const receiver = await startReceiver();
    const { clock, notices, lines, start } = await createHarness(receiver.url);
    notices.add('b1', '{}', clock.now());
    let failing = 2;
    start({
      ...notices,
      first() {
        if (failing-- > 0) throw new Error('the disk is full');
        return notices.first();
      },
    });
    await until(() => lines.length === 1);
    await clock.advance(60_000);
    await clock.advance(60_000);
    await until(() => receiver.received.length === 1);
    expect(lines).toEqual([expect.stringContaining('the disk is full')]);
  });

  it('that was under way when the service stopped is sent at the next start', async () => {
    const receiver = await startReceiver();
    receiver.status = 0;
    const { clock, notices, start } = await createHarness(receiver.url);
    notices.add('b1', '{}', clock.now());
    const notifier = start();
    await until(() => receiver.received.length === 1);
    await notifier.stop();
    expect(notices.first()).toMatchObject({ id: 'b1', failures: 0 });
    receiver.status = 200;
    start();
    await until(() => notices.first() === undefined);
  });
});

it('the service tells of a closed batch, and of a rejected one, what its summary says, with a secret from a variable', async () => {
  const receiver = await startReceiver();
  const origin = await startFileOrigin();
  vi.stubEnv('DOWNBURST_NOTIFY_SECRET', `whsec_${SECRET.toString('base64')}`);
  onTestFinished(() => void vi.unstubAllEnvs());
  const { url } = await startServiceProcess(await tempFolder(), '--notify', receiver.url);
  const postJson = async <T>(path: string, body: object): Promise<T> => {
    const headers = { 'content-type': 'application/json' };
    return (await (await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) })).json()) as T;
  };
  /** What the next notice says, by a verifier of other people's. */
  const told = async (): Promise<unknown> => {
    await until(() => receiver.received.length > 0);
    const [notice] = receiver.received.splice(0) as [Received];
    return new Webhook(SECRET, { format: 'raw' }).verify(notice.body, notice.headers as Record<string, string>);
  };
  const summaryOf = async (id: string): Promise<unknown> => (await fetch(`${url}/batches/${id}/summary`)).json();

  const urls = [origin.file(1), `${origin.url}/missing`];
  const { id } = await postJson<{ id: string }>('/batches', { name: 'told', urls });
  const summary = await told();
  const counts = { done: 1, failed: 1, failures: { NOT_FOUND: 1 } };
  expect(summary).toMatchObject({ id, name: 'told', state: 'finished', ...counts });
  expect(await summaryOf(id)).toEqual(summary);

  const list = 'nowhere\n';
  const { listId, upload } = await postJson<ListDocument>('/lists', { bytes: list.length, format: 'text' });
  await fetch(upload.url, { method: 'PUT', body: list });
  const rejected = await postJson<{ id: string }>('/batches', { listId });
  const refusal = await told();
  expect(refusal).toMatchObject({ id: rejected.id, state: 'rejected', total: 0 });
  expect(await summaryOf(rejected.id)).toEqual(refusal);
});
