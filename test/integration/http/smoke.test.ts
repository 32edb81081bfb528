import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { CHECKS } from '../../../examples/smoke/checks.ts';
import { connect, type Send } from '../../../examples/smoke/connection.ts';
import { NotDownburstError, smoke } from '../../../examples/smoke/run.ts';
import { startService } from '../../helpers/service.ts';
import { startFileOrigin } from '../local/file-origin.ts';
import { startFunctions } from './functions.ts';

async function run(api: string, send: Send = connect({ api }), checks = CHECKS) {
  const origin = await startFileOrigin();
  const lines: string[] = [];
  const print = (line: string) => void lines.push(line);
  const ok = await smoke({ api, send, urls: [1, 2, 3].map(origin.file), print, checks });
  return { ok, table: lines.join('\n') };
}

/** A service that gives this answer to everything. */
async function startOther(status: number, body: string) {
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.writeHead(status).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

describe('npm run smoke', () => {
  it('finds every promise kept on one machine, and leaves no batch', async () => {
    const { url } = await startService();
    const { ok, table } = await run(url);
    expect(ok, table).toBe(true);
    expect(table.match(/^ok /gm)).toHaveLength(9);
    expect(await (await fetch(`${url}/batches`)).json()).toEqual({ batches: [] });
  });

  it('finds every promise kept by the functions of a deployment', async () => {
    const { url, close } = await startFunctions();
    onTestFinished(close);
    const { ok, table } = await run(url);
    expect(ok, table).toBe(true);
  });

  it('says which promise is broken', async () => {
    const { url } = await startService();
    const send = connect({ api: url });
    // Files that are stored as nobody was told.
    const broken: Send = async (method, path, init) => {
      const answer = await send(method, path, init);
      if (!path.includes('links=true')) return answer;
      return new Response((await answer.text()).replaceAll(/"sha256":"./g, '"sha256":"x'), { status: answer.status });
    };
    const { ok, table } = await run(
      url,
      broken,
      CHECKS.filter(({ name }) => name.startsWith('a batch ends')),
    );
    expect(ok).toBe(false);
    expect(table.match(/^FAILED .*/gm)).toEqual([
      expect.stringMatching(/a batch ends with one outcome .*: .* is not stored as it is told$/),
    ]);
  });

  it.each([
    [200, '{"info":{"title":"Petstore"}}'],
    [200, 'hello'],
    [403, '{"message":"Forbidden"}'],
  ])('starts nothing on a service that is no Downburst: %i %s', async (status, body) => {
    const { url, asked } = await startOther(status, body);
    await expect(run(url)).rejects.toThrow(NotDownburstError);
    expect(asked).toEqual(['GET /openapi.json']);
  });

  it('starts nothing where nobody answers', async () => {
    await expect(run('http://127.0.0.1:9')).rejects.toThrow(NotDownburstError);
  });
});
