import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServiceIn } from '../../helpers/service.ts';
import { describeApi } from './api-suite.ts';

describeApi('embedded', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'downburst-'));
  const { url, close } = await startServiceIn(folder);
  return {
    url,
    async close() {
      await close();
      await rm(folder, { recursive: true });
    },
  };
});
