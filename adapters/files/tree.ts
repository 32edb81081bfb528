import { randomUUID } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, realpathSync, rmSync, writeFileSync, type BigIntStats } from 'node:fs';
import { readdir, rmdir } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { codeOf, keyConflict, unless } from './errors.ts';

/** Where the files of keys lie, and the checks that a path is its key's and nobody else's. */
export interface Tree {
  /** The path of a key, always below the root. Errors: `KEY_CONFLICT`. */
  place(key: string): string;
  /** Whether `path` belongs to the store itself and not to a key. */
  isReserved(path: string): boolean;
  /** The regular file at `path`, if that is its very name and no link or other spelling leads there. */
  file(path: string): Promise<BigIntStats | undefined>;
  /** Whether a folder stands at `path` under its very name. */
  hasFolder(path: string): Promise<boolean>;
  /**
   * Makes the folders that a file at `path` needs, and answers the one that it will replace. A delete may remove a
   * folder again as long as it is empty. Errors: `KEY_CONFLICT`.
   */
  makeRoom(path: string): Promise<BigIntStats | undefined>;
  /** Removes the folders above `path` that are empty, except the root. */
  prune(path: string): Promise<void>;
}

/** How a disk tells `a` from `A`: by itself; by the real path of what it found; only by the names in a folder. */
type Spelling = 'exact' | 'in-real-path' | 'in-folder';

const ABSENT = ['ENOENT', 'ENOTDIR'];

/** `root` and `reserved` are real paths of existing folders; `scratch` is one to try the disk out in. */
export function createTree(root: string, reserved: readonly string[], scratch: string): Tree {
  const spelling = probeSpelling(scratch);

  function isReserved(path: string): boolean {
    return reserved.some((folder) => path === folder || path.startsWith(folder + sep));
  }

  function place(key: string): string {
    const segments = key.split('/');
    if (segments.some((segment) => ['', '.', '..'].includes(segment))) throw keyConflict('a segment is empty or dots');
    if (key.includes('\0') || !key.isWellFormed()) throw keyConflict('no file name can spell it');
    // Where a backslash does not part names, there is nothing left to be resolved, which costs more than all of the above.
    const path = sep === '/' ? `${root}/${key}` : join(root, ...segments);
    if (!path.startsWith(root + sep) || isReserved(path)) throw keyConflict('it leads out of the folder');
    return path;
  }

  /**
   * Whether what the disk finds at `path` has that very name. `other` if a link leads away from it or the disk takes
   * another spelling for the same: a file put there would land outside the root, or in another key's place.
   */
  async function stands(path: string, kind: 'file' | 'folder'): Promise<'as-named' | 'other' | 'absent'> {
    // With a dot after it, nothing but a folder is found.
    const real = unlessAbsent(() => realpathSync.native(kind === 'file' ? path : path + sep + '.'));
    if (real === undefined) return 'absent';
    if (real !== path) return 'other';
    if (spelling !== 'in-folder') return 'as-named';
    for (let at = path; at !== root; at = dirname(at)) {
      const names = await readdir(dirname(at)).catch(unless(ABSENT, undefined));
      if (names === undefined) return 'absent';
      if (!names.includes(basename(at))) return 'other';
    }
    return 'as-named';
  }

  async function file(path: string): Promise<BigIntStats | undefined> {
    const found = look(path, [...ABSENT, 'ENAMETOOLONG']);
    return found?.isFile() && (await stands(path, 'file')) === 'as-named' ? found : undefined;
  }

  async function hasFolder(path: string): Promise<boolean> {
    return (await stands(path, 'folder').catch(unless(['ENAMETOOLONG'], 'absent'))) === 'as-named';
  }

  async function makeFolder(path: string): Promise<void> {
    const state = await stands(path, 'folder');
    if (state === 'as-named') return;
    if (state === 'other') throw keyConflict('another spelling or a link stands in its way');
    if (path === root) {
      mkdirSync(root, { recursive: true });
      return;
    }
    // One level at a time: a recursive mkdir would follow a link out of the root.
    await makeFolder(dirname(path));
    try {
      mkdirSync(path);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return; // A delete has removed the one above; who moves a file here tries again.
      if (codeOf(error) !== 'EEXIST') throw error;
      const found = look(path);
      if (found && !found.isDirectory()) throw error;
      await makeFolder(path);
    }
  }

  async function makeRoom(path: string): Promise<BigIntStats | undefined> {
    const found = look(path);
    if (found === undefined) {
      await makeFolder(dirname(path));
      return undefined;
    }
    if (!found.isFile()) throw keyConflict('a folder or a link stands there');
    if ((await stands(path, 'file')) === 'other') throw keyConflict('another spelling of it stands there');
    return found;
  }

  async function prune(path: string): Promise<void> {
    let folder = dirname(path);
    while (folder !== root && (await stands(folder, 'folder')) === 'absent') folder = dirname(folder);
    if ((await stands(folder, 'folder')) === 'other') return;
    for (; folder !== root; folder = dirname(folder)) {
      try {
        await rmdir(folder);
      } catch {
        return; // Not empty.
      }
    }
  }

  return { place, isReserved, file, hasFolder, makeRoom, prune };
}

/** What stands at `path`; `undefined` where nothing does. */
function look(path: string, absent = ABSENT): BigIntStats | undefined {
  return unlessAbsent(() => lstatSync(path, { bigint: true, throwIfNoEntry: false }), absent);
}

function unlessAbsent<T>(look: () => T, absent = ABSENT): T | undefined {
  try {
    return look();
  } catch (error) {
    if (absent.includes(codeOf(error) ?? '')) return undefined;
    throw error;
  }
}

function probeSpelling(folder: string): Spelling {
  const name = `probe-${randomUUID()}`;
  const [lower, upper] = [join(folder, name), join(folder, name.toUpperCase())];
  writeFileSync(lower, '');
  try {
    if (!existsSync(upper)) return 'exact';
    return realpathSync.native(upper) === lower ? 'in-real-path' : 'in-folder';
  } finally {
    rmSync(lower);
  }
}
