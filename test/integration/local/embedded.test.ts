import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { startEmbedded } from '../../../local/embedded.ts';
import { foldersIn } from '../../../local/stores.ts';
import { tempFolder } from '../../helpers/temp-folder.ts';

test('a service whose threads cannot start says why, and leaves its folder to the next one', async () => {
  const folder = await tempFolder();
  const broken = join(folder, 'broken.ts');
  await writeFile(broken, 'throw new Error("no such module");');
  const options = {
    folders: foldersIn(join(folder, 'data')),
    folderFlag: '--data',
    workers: 1,
    allowedNetworks: [],
    log: { info: () => undefined, error: () => undefined },
  };
  await expect(startEmbedded({ ...options, threadScript: pathToFileURL(broken) })).rejects.toMatchObject({
    message: 'A worker thread ended with code 1.',
    cause: { message: 'no such module' },
  });
  const next = await startEmbedded(options);
  await next.close();
});
