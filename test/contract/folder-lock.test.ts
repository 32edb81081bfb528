import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { FolderInUseError, lockFolder } from '../../adapters/sqlite/lock.ts';
import { tempFolder } from '../helpers/temp-folder.ts';
import { killAfter, startProcess } from './fixtures/run.ts';

test('a folder that another process has locked is refused, until that process is killed', async () => {
  const folder = await tempFolder();
  const owner = startProcess('hold-lock.ts', folder);
  await once(owner.stdout, 'readable');
  expect(() => lockFolder(folder)).toThrow(FolderInUseError);
  expect(await killAfter(owner, 1)).toEqual(['locked']);
  using lock = lockFolder(folder);
  expect(lock).toBeDefined();
});

test('a process is refused a folder that is locked here', async () => {
  const folder = await tempFolder();
  using lock = lockFolder(folder);
  expect(lock).toBeDefined();
  const second = startProcess('try-lock.ts', folder);
  expect((await Array.fromAsync(second.stdout)).join('')).toBe(`${folder} is in use by another process\n`);
});

test('one process cannot lock a folder twice, from whichever thread', async () => {
  const folder = await tempFolder();
  using lock = lockFolder(folder);
  expect(lock).toBeDefined();
  expect(() => lockFolder(folder)).toThrow(FolderInUseError);
  const thread = new Worker(new URL('fixtures/hold-lock.ts', import.meta.url), { argv: [folder] });
  expect(await once(thread, 'error')).toMatchObject([{ name: 'FolderInUseError' }]);
  expect(() => lockFolder(folder)).toThrow(FolderInUseError);
});

test('a lock that was let go can be taken again; other folders are other locks', async () => {
  const [folder, other] = [await tempFolder(), await tempFolder()];
  lockFolder(folder)[Symbol.dispose]();
  using again = lockFolder(folder);
  using elsewhere = lockFolder(other);
  expect([again, elsewhere]).toHaveLength(2);
});

test('a folder that is not there cannot be locked, and that is not called in use', async () => {
  const folder = await tempFolder();
  expect(() => lockFolder(`${folder}/missing`)).toThrow(/unable to open/);
});
