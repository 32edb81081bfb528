import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createSqliteLedger } from '../../../adapters/sqlite/ledger.ts';
import { startEmbedded } from '../../../local/embedded.ts';
import { createLog } from '../../../local/log.ts';
import { foldersIn, layout } from '../../../local/stores.ts';
import { startOrigin } from '../../helpers/origin.ts';
import { tempFolder } from '../../helpers/temp-folder.ts';
import { until } from '../../helpers/until.ts';
import { rangeOf, serve } from '../../helpers/versions.ts';

/** Of the thread that small-parts-thread.ts is. */
const PART_BYTES = 4096;
const PARTS = 64;

test('two worker threads fetch one large file together, each part once, and nothing is left of that', async () => {
  const folders = foldersIn(await tempFolder());
  const file = randomBytes(PARTS * PART_BYTES - 100);
  const whole = serve({ body: file, etag: '"v1"' });
  const begun = Promise.withResolvers<undefined>();
  const asked = Promise.withResolvers<undefined>();
  const helped = Promise.withResolvers<undefined>();
  let ranges = 0;
  const waiting: (() => void)[] = [];
  const origin = await startOrigin({
    '/large.iso': async (visit) => {
      if (rangeOf(visit.request.headers)) {
        // Nobody is asked to help with an upload that has nothing yet, nor by a worker that could not leave two connections.
        if ((ranges += 1) > 3) await begun.promise;
        const three = new Promise<void>((resolve) => waiting.push(resolve));
        if (waiting.length === 3) for (const go of waiting.splice(0)) go();
        await Promise.race([three, asked.promise]);
        await whole(visit);
        return;
      }
      visit.response.writeHead(200, { etag: '"v1"', 'accept-ranges': 'bytes', 'content-length': file.length });
      visit.response.write(file.subarray(0, PART_BYTES));
      await helped.promise;
      visit.response.end(file.subarray(PART_BYTES));
    },
  });
  const closed = Promise.withResolvers<string>();
  const embedded = await startEmbedded({
    folders,
    folderFlag: '--data',
    workers: 2,
    allowedNetworks: ['127.0.0.0/8'],
    threadScript: new URL('small-parts-thread.ts', import.meta.url),
    log: createLog({ write: () => undefined }, Date.now),
    onClosed: closed.resolve,
  });
  onTestFinished(() => embedded.close());

  const body = JSON.stringify({ urls: [origin.url('/large.iso')] });
  const headers = { host: '127.0.0.1', 'content-type': 'application/json' };
  const answer = await embedded.fetch(new Request('http://127.0.0.1/batches', { method: 'POST', body, headers }));
  const { id } = (await answer.json()) as { id: string };
  using ledger = createSqliteLedger(layout(folders).ledger);
  const uploads = join(layout(folders).temp, 'files');
  await until(async () => {
    const [upload = ''] = await readdir(uploads);
    return (await readFile(join(uploads, upload, 'parts.log'), 'utf8').catch(() => '')).includes('bytes');
  });
  begun.resolve(undefined);
  await until(async () => (await ledger.getHelper(id, 'F1.1')) !== undefined);
  asked.resolve(undefined);
  await until(async () => (await ledger.getHelper(id, 'F1.1'))?.landed !== undefined);
  helped.resolve(undefined);
  expect(await closed.promise).toBe(id);

  const [host = ''] = await readdir(join(folders.files, id));
  expect((await readFile(join(folders.files, id, host, 'large.iso'))).equals(file)).toBe(true);
  const parts = origin.requests.flatMap(({ headers }) => rangeOf(headers)?.from ?? []);
  expect(parts).toHaveLength(new Set(parts).size);
  expect(await ledger.getHelper(id, 'F1.1')).toBeUndefined();
  expect(await readdir(join(layout(folders).objects, 'batches', id))).not.toContain('waiting');
  expect(await readdir(uploads)).toEqual([]);
});
