import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createFileStore } from '../../../adapters/files/file-store.ts';
import { createSqliteLedger } from '../../../adapters/sqlite/ledger.ts';
import { systemClock } from '../../../adapters/system-clock.ts';
import { localLinks } from '../../../local/files-route.ts';
import { createReadApp } from '../../../http/read-app.ts';
import { tempFolder } from '../../helpers/temp-folder.ts';

describe('an error that nobody foresaw', () => {
  it('is told to the operator, and to the client only that there was one', async () => {
    const folder = await tempFolder();
    const ledger = createSqliteLedger(join(folder, 'ledger.sqlite'));
    const [root, tempRoot, metadataRoot] = ['a', 'b', 'c'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    const state = createFileStore({ root, tempRoot, metadataRoot });
    const told: unknown[] = [];
    const app = createReadApp(
      { ledger, state, files: { ...state, ...localLinks }, clock: systemClock },
      { onError: (...args) => told.push(args) },
    );
    ledger.close();

    const answer = await app.request('/batches?limit=7');
    expect(answer.status).toBe(500);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(await answer.json()).toEqual({
      type: 'urn:downburst:problem:internal',
      title: 'Something went wrong inside Downburst',
      status: 500,
      detail: 'The operator finds the cause in the log.',
    });
    expect(told).toEqual([
      [expect.objectContaining({ code: 'ERR_INVALID_STATE' }), { method: 'GET', path: '/batches' }],
    ]);
  });
});
