import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createAwsStores } from '../../../adapters/aws/stores.ts';
import { systemClock } from '../../../adapters/system-clock.ts';
import { connect, type ConnectionFlags } from '../../../cli/connection.ts';
import { serveDashboard } from '../../../cli/dashboard.ts';
import type { PlanningService } from '../../../core/batch/service.ts';
import { MAX_INLINE_LIST_BYTES } from '../../../core/model/limits.ts';
import type { ListDocument, StatusDocument } from '../../../http/documents.ts';
import { createApiHandler } from '../../../lambdas/api.ts';
import { createStatusHandler } from '../../../lambdas/status.ts';
import { limitsFor } from '../../../local/stores.ts';
import { startAws } from '../../helpers/aws.ts';
import { startGateway } from '../../helpers/gateway.ts';
import { createTestLog } from '../../helpers/log.ts';

const COMMAND = fileURLToPath(new URL('../../../cli/downburst.ts', import.meta.url));

/** A service that answers whatever it is asked, and the headers of what it was asked. */
async function startApi() {
  const requests: IncomingHttpHeaders[] = [];
  const server = createServer(({ headers }, response) => {
    requests.push(headers);
    response.writeHead(200, { 'content-type': 'application/json', 'set-cookie': 'a=b' }).end('{"batches":[]}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  onTestFinished(close);
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests, close };
}

/** The dashboard of a service for the running test: its address, which ends with the token's folder. */
async function openDashboard(flags: ConnectionFlags): Promise<string> {
  const { url, close } = await serveDashboard(connect(flags), 0);
  onTestFinished(close);
  return url;
}

const statusOf = async (url: string | URL, init?: RequestInit) => (await fetch(url, init)).status;

describe('the dashboard of a service', () => {
  test('is at an address that nobody guesses, and nowhere else', async () => {
    const api = await startApi();
    const url = await openDashboard({ api: api.url });
    expect(new URL(url).pathname).toMatch(/^\/[\w-]{32}\/$/);
    expect(await statusOf(url)).toBe(200);
    expect(await statusOf(`${url}page.js`)).toBe(200);
    for (const path of ['/', '/page.js', '/batches', '/x/batches', new URL(url).pathname.slice(0, -1)]) {
      expect(await statusOf(new URL(path, url)), path).toBe(404);
    }
    expect(await openDashboard({ api: api.url })).not.toContain(new URL(url).pathname);
    expect(api.requests).toEqual([]);
  });

  test('answers no other web site, though it knew the address', async () => {
    const api = await startApi();
    const url = await openDashboard({ api: api.url });
    for (const headers of [{ origin: 'http://evil.example' }, { 'sec-fetch-site': 'cross-site' }]) {
      expect(await statusOf(`${url}batches`, { headers })).toBe(403);
    }
    expect(api.requests).toEqual([]);
  });

  test("passes on the API's own requests, signed by credentials that the browser does not see", async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIATEST');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'hush');
    onTestFinished(() => void vi.unstubAllEnvs());
    const api = await startApi();
    const url = await openDashboard({ api: api.url, region: 'eu-central-1' });
    const answer = await fetch(`${url}batches?limit=1`, {
      headers: { cookie: 'c=d', referer: url, 'x-forwarded-for': '::1' },
    });
    expect(await answer.json()).toEqual({ batches: [] });
    expect(answer.headers.get('set-cookie')).toBeNull();
    const [sent] = api.requests;
    expect(sent?.authorization).toMatch(/^AWS4-HMAC-SHA256 Credential=AKIATEST\/\d{8}\/eu-central-1\/execute-api\//);
    expect(sent).not.toHaveProperty('cookie');
    expect(JSON.stringify(sent)).not.toContain(new URL(url).pathname);
    expect(JSON.stringify([...answer.headers])).not.toMatch(/AKIATEST|hush/);

    for (const [path, method] of [
      ['elsewhere', 'GET'],
      ['batches', 'DELETE'],
      ['lists/1', 'GET'],
      ['lists/1', 'PUT'],
    ]) {
      expect(await statusOf(url + (path ?? ''), { ...(method !== undefined && { method }) })).toBe(404);
    }
    expect(api.requests).toHaveLength(1);
  });

  test('takes no more into memory than the service would', async () => {
    const api = await startApi();
    const url = await openDashboard({ api: api.url });
    const body = new Uint8Array(MAX_INLINE_LIST_BYTES + 1);
    expect(await statusOf(`${url}batches`, { method: 'POST', body })).toBe(413);
    expect(await statusOf(`${url}lists`, { method: 'POST', body: new Blob([body]).stream(), duplex: 'half' })).toBe(
      413,
    );
    expect(api.requests).toEqual([]);
  });

  test('says that the service is away', async () => {
    const api = await startApi();
    const url = await openDashboard({ api: api.url });
    api.close();
    const answer = await fetch(`${url}batches`);
    expect(answer.status).toBe(502);
    expect(await answer.json()).toMatchObject({ detail: `${api.url} does not answer.` });
  });

  test('takes a list for a deployment and puts it into its store', async () => {
    const aws = await startAws();
    const service: PlanningService = {
      ...createAwsStores(aws.config, aws.clients),
      clock: systemClock,
      random: Math.random,
      limits: limitsFor(1),
      announce: () => Promise.resolve(),
      warn: () => undefined,
    };
    const { log } = createTestLog();
    const gateway = await startGateway({
      api: createApiHandler(service, log),
      status: createStatusHandler({ ...service, files: createAwsStores(aws.config, aws.clients).files }, log),
    });
    onTestFinished(() => gateway.close());
    const url = await openDashboard({ api: gateway.url });
    const list = 'https://example.com/a\n'.repeat(100_000);

    const post = (path: string, body: object) =>
      fetch(url + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    const { listId, upload } = (await (
      await post('lists', { bytes: list.length, format: 'text' })
    ).json()) as ListDocument;
    expect(upload.url).toBe(`${url}lists/${listId}`);
    expect(await statusOf(upload.url, { method: upload.method, body: list })).toBe(200);
    const begun = await post('batches', { listId });
    expect(begun.status).toBe(202);
    expect((await begun.json()) as StatusDocument).toMatchObject({ state: 'planning' });
    expect(aws.invocations).toHaveLength(1);
  });
});

/** Runs `downburst dashboard`; it is gone when the running test ends. */
function run(...args: string[]) {
  const child = spawn(process.execPath, [COMMAND, 'dashboard', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const exit = once(child, 'close') as Promise<[code: number | null]>;
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exit;
  });
  return { child, exit };
}

describe('downburst dashboard', () => {
  test('prints the address, serves it until Ctrl-C, and ends with 0', async () => {
    const api = await startApi();
    const { child, exit } = run('--api', api.url);
    let address = '';
    for await (const line of createInterface(child.stdout)) {
      address = /^ +(http:\/\/127\.0\.0\.1:\d+\/[\w-]+\/)$/.exec(line)?.[1] ?? '';
      if (address !== '') break;
    }
    expect(await statusOf(address)).toBe(200);
    child.kill('SIGINT');
    expect(await exit).toEqual([0, null]);
  });

  test('ends with 3 where no service answers', async () => {
    const api = await startApi();
    api.close();
    const { child, exit } = run('--api', api.url);
    const said = child.stderr.setEncoding('utf8').toArray();
    expect(await exit).toEqual([3, null]);
    expect((await said).join('')).toMatch(/^No service answers at [^\n]+\n$/);
  });
});
