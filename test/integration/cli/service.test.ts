import { createHash, createHmac } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createTree } from '../../../adapters/files/tree.ts';
import { createClient } from '../../../cli/client.ts';
import { connect } from '../../../cli/connection.ts';
import { UnreachableError } from '../../../cli/exit.ts';
import { isThere, pullFile, PullError } from '../../../cli/pull-file.ts';
import type { FileDocument, StatusDocument } from '../../../http/documents.ts';
import { runCommand } from '../../helpers/command.ts';
import { startOrigin } from '../../helpers/origin.ts';
import { startService } from '../../helpers/service.ts';
import { tempFolder } from '../../helpers/temp-folder.ts';
import { fileBody, startFileOrigin } from '../local/file-origin.ts';

describe('commands with a service', () => {
  it('submit a list, follow it, list what became of it, and get its files, each only once', async () => {
    const service = await startService();
    const origin = await startFileOrigin();
    const run = (...args: string[]) => runCommand(args, { env: { DOWNBURST_API: service.url } });
    const folder = await tempFolder();
    const list = join(folder, 'list.txt');
    await writeFile(list, [...[1, 2, 3].map(origin.file), `${origin.url}/missing`].join('\n'));

    const submitted = await run('submit', '-i', list, '--retry', '0');
    expect(submitted).toMatchObject({ code: 0, stderr: expect.stringContaining('downburst wait') as unknown });
    const id = submitted.stdout.trim();
    const waited = await run('wait', id);
    expect(waited).toMatchObject({ code: 1, stdout: '' });
    expect(waited.stderr).toMatch(/started Batch \S+ \(list\.txt\): 4 files/);
    expect(waited.stderr).toMatch(/finished 3 files stored/);

    const [status, failed, listed] = await Promise.all([
      run('status', id),
      run('files', id, '-s', 'failed', '--json'),
      run('ls'),
    ]);
    expect(status.stdout).toContain('4 files: 3 stored');
    expect(JSON.parse(failed.stdout)).toMatchObject({ index: 4, code: 'NOT_FOUND' });
    expect(listed.stdout).toMatch(new RegExp(`^${id} .* finished +4  list.txt\n$`));

    const out = join(folder, 'out');
    expect(await run('pull', id, out, '-q')).toEqual({ code: 0, stdout: '', stderr: '' });
    const host = new URL(origin.url).host.replace(':', '_');
    for (const n of [1, 2, 3]) expect(await readFile(join(out, host, `${n}.bin`))).toEqual(fileBody(n));
    const again = await run('pull', id, out, '--json');
    const last = JSON.parse(again.stdout.trimEnd().split('\n').at(-1) ?? '') as { batch: StatusDocument };
    expect(last).toMatchObject({ event: 'ended', batch: { done: 0, skipped: 3, failed: 0 } });

    const retried = await run('retry', id, '--code', 'NOT_FOUND', '--wait', '--json');
    expect(retried.code).toBe(1);
    expect(retried.stdout).toContain(`"retryOf":"${id}"`);
  });

  it('pause, resume and cancel a batch', async () => {
    const service = await startService();
    const origin = await startFileOrigin();
    origin.holdAfter(0);
    const { id } = await submit(service.url, origin.file(1));
    const client = createClient(connect({ api: service.url }));
    expect(await client.control(id, 'pause')).toMatchObject({ state: 'paused' });
    const run = (...args: string[]) => runCommand([...args, '--api', service.url]);
    expect(await run('resume', id, '--quota', '1G', '--json')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('"maxTotalBytes":1073741824') as unknown,
    });
    const cancelled = await run('cancel', id);
    expect(cancelled).toMatchObject({ code: 0, stdout: expect.stringMatching(/cancell(ing|ed)/) as unknown });
  });

  it('say which batch there is not, and which service does not answer', async () => {
    const service = await startService();
    const id = '01a2078c-c58e-7573-bb46-9ec1b7d01556';
    expect(await runCommand(['status', id, '--api', service.url])).toEqual({
      code: 2,
      stdout: '',
      stderr: `There is no batch ${id}.\n`,
    });
    await service.close();
    const { code, stderr } = await runCommand(['status', id, '--api', service.url]);
    expect(code).toBe(3);
    expect(stderr).toBe(`No service answers at ${service.url} (ECONNREFUSED); start it with: downburst serve\n`);
  });

  it.each(['hello', '{"batches":'])('say that what answers is no Downburst: %s', async (body) => {
    const origin = await startOrigin({ '*': ({ response }) => void response.end(body) });
    const client = createClient(connect({ api: origin.url() }));
    await expect(client.status('x')).rejects.toThrow(UnreachableError);
  });

  it('go on when a service that was there is away for a moment', async () => {
    let requests = 0;
    const origin = await startOrigin({
      '*': ({ response, socket }) => {
        requests += 1;
        if (requests === 2) socket.destroy();
        else if (requests === 4)
          response.writeHead(200, { 'content-length': '100' }).write('{', () => socket.destroy());
        else if (requests === 3) response.writeHead(503, { 'retry-after': '0' }).end();
        else response.end('{"batches":[]}');
      },
    });
    const client = createClient(connect({ api: origin.url() }));
    for (let n = 0; n < 2; n++) expect(await client.batches({ limit: 1 })).toEqual({ batches: [] });
    expect(requests).toBe(5);
  });
});

describe('requests to a deployment', () => {
  /** A server that answers with the request that it got. */
  async function startMirror(): Promise<string> {
    const server = createServer((request, response) => {
      void buffer(request).then((body) => {
        const { method, url, headers } = request;
        response.end(JSON.stringify({ method, url, headers, body: body.toString() }));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      server.close();
      server.closeAllConnections();
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  it('are signed with the credentials of the environment, over path, query, headers and body', async () => {
    const api = await startMirror();
    const env = { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 's3cr3t', AWS_SESSION_TOKEN: 'session' };
    const args = ['submit', 'https://example.com/a', '-j', '4', '--name', 'a b', '--json', '--api', api];
    const { stdout } = await runCommand([...args, '--region', 'eu-central-1'], { env });
    const got = JSON.parse(stdout) as { method: string; url: string; headers: IncomingHttpHeaders; body: string };
    expect(got.headers['x-amz-security-token']).toBe('session');
    expect(got.headers.authorization).toBe(signature(got, 'AKIDEXAMPLE', 's3cr3t', 'eu-central-1'));
    expect(stdout).not.toContain('s3cr3t');
  });

  it('have a token where there is one, and no signature', async () => {
    const api = await startMirror();
    const client = createClient(connect({ api, token: 'abc.def' }));
    expect(await client.status('x')).toMatchObject({ headers: { authorization: 'Bearer abc.def' } });
  });
});

describe('a file that is pulled', () => {
  const body = Buffer.from('what was stored, byte by byte');
  const sha256 = createHash('sha256').update(body).digest('hex');

  async function setUp(key = 'folder/a.txt') {
    const folder = await tempFolder();
    const state = join(folder, '.downburst');
    await mkdir(state);
    const origin = await startOrigin({
      '*': ({ request, response }) => {
        const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
        response.writeHead(from > 0 ? 206 : 200, { 'content-encoding': 'gzip' }).end(body.subarray(from));
      },
    });
    const options = {
      tree: createTree(folder, [state], state),
      partsFolder: join(state, 'parts'),
      signal: AbortSignal.timeout(60_000),
    };
    const part = join(options.partsFolder, `${createHash('sha256').update(key).digest('hex')}.part`);
    await mkdir(options.partsFolder);
    const pull = (file: Partial<FileDocument> = {}) =>
      pullFile({ ...fileOf(key), ...file }, origin.url('/link'), options);
    return { folder, origin, options, part, pull };
  }

  const fileOf = (key: string): FileDocument => ({
    index: 1,
    url: 'https://example.com/a.txt',
    key,
    state: 'done',
    bytes: body.length,
    sha256,
    attempts: 1,
    settledAt: '2030-01-01T00:00:00.000Z',
  });

  it('is there byte by byte, packed or not, and nothing besides', async () => {
    const { folder, options, pull } = await setUp();
    expect(await isThere(options.tree, fileOf('folder/a.txt'))).toBe(false);
    await pull();
    expect(await readFile(join(folder, 'folder', 'a.txt'))).toEqual(body);
    expect(await isThere(options.tree, fileOf('folder/a.txt'))).toBe(true);
    expect(await isThere(options.tree, { ...fileOf('folder/a.txt'), sha256: '0'.repeat(64) })).toBe(false);
    expect(await readdir(options.partsFolder)).toEqual([]);
  });

  it('goes on where it broke off, if there is a digest to prove the whole', async () => {
    const { origin, part, pull } = await setUp();
    await writeFile(part, body.subarray(0, 10));
    await pull();
    expect(origin.requests.map(({ headers }) => headers.range)).toEqual(['bytes=10-']);

    await writeFile(part, body.subarray(0, 10));
    await pull({ sha256: undefined });
    expect(origin.requests[1]?.headers.range).toBeUndefined();
  });

  it('is begun anew after a beginning that was of another file', async () => {
    const { folder, part, pull } = await setUp();
    await writeFile(part, 'something else');
    await expect(pull()).rejects.toThrow(PullError);
    await pull();
    expect(await readFile(join(folder, 'folder', 'a.txt'))).toEqual(body);
  });

  it.each(['../a.txt', '.downburst/ledger.sqlite', '/etc/passwd', 'a/../../b'])('never leads to %s', async (key) => {
    const { origin, pull } = await setUp(key);
    await expect(pull()).rejects.toMatchObject({ code: 'KEY_CONFLICT' });
    expect(origin.requests).toEqual([]);
  });
});

async function submit(url: string, list: string): Promise<StatusDocument> {
  const answer = await fetch(`${url}/batches`, {
    method: 'POST',
    headers: { 'content-type': 'text/plain' },
    body: list,
  });
  return (await answer.json()) as StatusDocument;
}

/** The header Authorization by AWS Signature Version 4, as its documentation has it, of what a server got. */
function signature(
  got: { method: string; url: string; headers: IncomingHttpHeaders; body: string },
  keyId: string,
  secret: string,
  region: string,
): string {
  const hash = (text: string) => createHash('sha256').update(text).digest('hex');
  const hmac = (key: Buffer | string, text: string) => createHmac('sha256', key).update(text).digest();
  const [path = '', query = ''] = got.url.split('?');
  const names = /SignedHeaders=([^,]+)/.exec(got.headers.authorization ?? '')?.[1] ?? '';
  const headers = names.split(';').map((name) => `${name}:${String(got.headers[name]).trim()}\n`);
  const encoded = [...new URLSearchParams(query)]
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .sort();
  const canonical = [got.method, path, encoded.join('&'), headers.join(''), names, hash(got.body)].join('\n');
  const time = String(got.headers['x-amz-date']);
  const scope = `${time.slice(0, 8)}/${region}/execute-api/aws4_request`;
  const key = [region, 'execute-api', 'aws4_request'].reduce(hmac, hmac(`AWS4${secret}`, time.slice(0, 8)));
  const signed = hmac(key, ['AWS4-HMAC-SHA256', time, scope, hash(canonical)].join('\n')).toString('hex');
  return `AWS4-HMAC-SHA256 Credential=${keyId}/${scope}, SignedHeaders=${names}, Signature=${signed}`;
}
