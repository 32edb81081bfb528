import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { WaitingList } from '../../../core/turn/waiting.ts';
import type { StatusDocument } from '../../../http/documents.ts';
import { LEAST_PART_BYTES } from '../../../local/stores.ts';
import { file } from '../../helpers/origin-answers.ts';
import { startOrigin, type Answer } from '../../helpers/origin.ts';
import { startServiceProcess } from '../../helpers/service.ts';
import { tempFolder } from '../../helpers/temp-folder.ts';
import { rangeStart, serve } from '../../helpers/versions.ts';
import { until } from '../../helpers/until.ts';

const PART_BYTES = LEAST_PART_BYTES;

/** Bytes of the large file that its newest checkpoint names. */
async function checkpointed(folder: string, id: string): Promise<number> {
  const waiting = join(folder, 'state/objects/batches', id, 'waiting/00000');
  const names = await readdir(waiting).catch(() => []);
  const lists = await Promise.all(
    names.map(async (name) => JSON.parse(await readFile(join(waiting, name), 'utf8')) as WaitingList),
  );
  const parts = lists.flatMap(({ entries }) => entries.map(({ partial }) => partial?.parts.length ?? 0));
  return Math.max(0, ...parts) * PART_BYTES;
}

test('kill -9 in the middle of a large file: the next start fetches what no checkpoint names, and nothing else', async () => {
  const body = randomBytes(5 * PART_BYTES + 1000);
  const whole = serve({ body, etag: '"v1"' });
  const smallOnes = Promise.withResolvers<undefined>();
  const stalled: Answer = ({ response }) => {
    response.writeHead(200, { etag: '"v1"', 'content-length': body.length });
    response.write(body.subarray(0, 3 * PART_BYTES + 1000));
  };
  const origin = await startOrigin({
    '/large.iso': (visit) => (visit.earlier === 0 ? stalled(visit) : whole(visit)),
    // What settles brings a checkpoint on.
    '/small.txt': async (visit) => {
      await smallOnes.promise;
      await file('small')(visit);
    },
  });
  const folder = await tempFolder();
  const uploads = join(folder, 'state/temp/files');
  const first = await startServiceProcess(folder, '--workers', '1');
  const answer = await fetch(`${first.url}/batches`, {
    method: 'POST',
    headers: { 'content-type': 'text/plain' },
    body: [origin.url('/large.iso'), origin.url('/small.txt')].join('\n'),
  });
  const { id } = (await answer.json()) as StatusDocument;
  await until(async () => {
    const [upload] = await readdir(uploads);
    const log = upload === undefined ? '' : await readFile(join(uploads, upload, 'parts.log'), 'utf8').catch(() => '');
    return log.split('etag').length > 3;
  });
  smallOnes.resolve(undefined);
  const statusAt = async (url: string) => (await (await fetch(`${url}/batches/${id}`)).json()) as StatusDocument;
  await until(async () => (await statusAt(first.url)).done === 1);
  first.kill('SIGKILL');
  await first.exit;
  const known = await checkpointed(folder, id);
  expect(known).toBe(3 * PART_BYTES);

  const second = await startServiceProcess(folder, '--workers', '1');
  await until(async () => (await statusAt(second.url)).finishedAt !== undefined);
  expect(await statusAt(second.url)).toMatchObject({ done: 2, failed: 0 });
  const large = origin.requests.filter(({ path }) => path === '/large.iso');
  expect(large.map(({ headers }) => rangeStart(headers))).toEqual([undefined, known]);
  const [host = ''] = await readdir(join(folder, 'files', id));
  const stored = await readFile(join(folder, 'files', id, host, 'large.iso'));
  expect(createHash('sha256').update(stored).digest('hex')).toBe(createHash('sha256').update(body).digest('hex'));
  expect(await readdir(uploads)).toEqual([]);
});
