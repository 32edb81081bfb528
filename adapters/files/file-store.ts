import { randomUUID } from 'node:crypto';
import { constants, lstatSync, mkdirSync, realpathSync, renameSync, statSync, type BigIntStats } from 'node:fs';
import { access, open, opendir, readdir, rm, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  ObjectStoreError,
  type ObjectHeaders,
  type ObjectInfo,
  type ObjectStore,
} from '../../core/ports/object-store.ts';
import { createFolderSync, isInMemory, readUpTo, writeNew } from './disk.ts';
import { atKey, call, codeOf, keyConflict, unless } from './errors.ts';
import { createHeaderFiles } from './headers.ts';
import { compareUtf8 } from './key-order.ts';
import { createTree } from './tree.ts';
import { createUploads } from './uploads.ts';

/** Deletes that may take a folder away in a row; some disks say of names that they cannot spell that they are missing. */
const MAX_TRIES = 100;

export interface FileStoreOptions {
  /** Where the objects lie, each a plain file at its key. */
  root: string;
  /** Where they are written before they are moved to their key; on the root's file system. */
  tempRoot: string;
  /** Where headers are kept, one small file for each object that has any. */
  metadataRoot: string;
  /** Existing folders below the root that are no key's, besides these two. */
  reserved?: readonly string[];
}

export interface FileStore extends ObjectStore {
  /** Opens an object to be read bit by bit; `undefined` where there is none. */
  openObject(key: string): Promise<OpenObject | undefined>;
}

/** An object whose bytes stay what they were, whatever becomes of its key, until it is disposed of. */
export interface OpenObject extends AsyncDisposable {
  info: ObjectInfo;
  /** The bytes from `from` up to, not including, `to`; fewer where the object ends before. */
  read(from: number, to: number): Promise<Buffer>;
}

/**
 * An object store of plain files, for any number of stores in any number of threads over the same folders, which are
 * made if they are missing. Symbolic links are neither followed nor listed.
 *
 * An object is answered for when a power cut can no longer take it away, since the ledger may name it from then on:
 * its bytes are synced before the file is moved to its key, so that no torn file ever stands there, and the key's folder
 * afterwards. What is relied on is that a file system which has made a name durable has done the same for the folders
 * that were made before to hold it, as journals do. Headers and deletes are not synced.
 */
export function createFileStore(options: FileStoreOptions): FileStore {
  const root = ownFolder(options.root);
  const tempRoot = ownFolder(options.tempRoot);
  const metadataRoot = ownFolder(options.metadataRoot);
  const reserved = (options.reserved ?? []).map((path) => realpathSync.native(path));
  if (statSync(root).dev !== statSync(tempRoot).dev) {
    throw new Error(`${tempRoot} and ${root} are on different file systems`);
  }
  const tree = createTree(root, [tempRoot, metadataRoot, ...reserved], tempRoot);
  const headerFiles = createHeaderFiles(metadataRoot);
  /** Names that no other store has, in whatever thread or process. */
  const asidePrefix = join(tempRoot, `put-${randomUUID()}-`);
  let asides = 0;
  const durable = !isInMemory(root);
  const uploads = createUploads(tempRoot, durable);
  const syncFolder = createFolderSync();

  async function openFile(path: string): Promise<FileHandle | undefined> {
    if (!(await tree.file(path))) return undefined;
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW;
    return open(path, flags).catch(unless(['ENOENT', 'ENOTDIR', 'ELOOP'], undefined));
  }

  /** Moves a whole, synced file from aside to its key. */
  async function publish(aside: string, stored: BigIntStats, key: string, headers: ObjectHeaders): Promise<void> {
    const path = tree.place(key);
    const hasHeaders = Boolean(headers.contentType ?? headers.contentEncoding ?? headers.metadata);
    const described = hasHeaders ? stored : undefined;
    if (described) headerFiles.write(key, described, headers);
    const replaced = await atKey(() => moveTo(aside, path)).catch(async (error: unknown) => {
      if (described) await headerFiles.remove(key, described);
      throw error;
    });
    if (replaced) await headerFiles.remove(key, replaced);
    if (durable) await syncFolder(dirname(path));
  }

  /** Answers the file that was replaced. */
  async function moveTo(aside: string, path: string): Promise<BigIntStats | undefined> {
    for (let tries = 1; ; tries++) {
      const replaced = await tree.makeRoom(path);
      try {
        renameSync(aside, path);
        return replaced;
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') throw error;
        await access(aside); // If this is not what is missing, a delete has removed the folder, empty until now.
        if (tries === MAX_TRIES) throw keyConflict('the disk knows no such name', { cause: error });
      }
    }
  }

  async function* walk(folder: string, keyPrefix: string, start: string, signal?: AbortSignal): AsyncGenerator<string> {
    for (const name of await call(signal, () => namesIn(folder, start))) {
      signal?.throwIfAborted();
      if (name.endsWith('/')) yield* walk(join(folder, name.slice(0, -1)), keyPrefix + name, '', signal);
      else yield keyPrefix + name;
    }
  }

  /** The names that begin with `start`, those of folders with a slash, in the order of the keys that they make. */
  async function namesIn(folder: string, start: string): Promise<string[]> {
    const names: string[] = [];
    const entries = await opendir(folder, { bufferSize: 1000 }).catch(unless(['ENOENT', 'ENOTDIR'], []));
    for await (const entry of entries) {
      if (!entry.name.startsWith(start)) continue;
      if (entry.isFile()) names.push(entry.name);
      else if (entry.isDirectory() && !tree.isReserved(join(folder, entry.name))) names.push(`${entry.name}/`);
    }
    return names.sort(compareUtf8);
  }

  /** `undefined` for what no key begins with. */
  function placeOfFolder(keyPrefix: string): string | undefined {
    try {
      return tree.place(keyPrefix);
    } catch {
      return undefined;
    }
  }

  return {
    put: (key, body, { signal, contentType, contentEncoding, metadata } = {}) =>
      call(signal, async () => {
        const path = tree.place(key);
        const aside = `${asidePrefix}${++asides}`;
        try {
          const stored = await writeNew(aside, body, durable, signal);
          signal?.throwIfAborted();
          await publish(aside, stored, key, { contentType, contentEncoding, metadata });
        } catch (error) {
          await rm(aside, { force: true });
          await tree.prune(path).catch(() => undefined);
          throw error;
        }
      }),

    get: (key, { signal, from = 0, to = Infinity, ifMatch } = {}) =>
      call(signal, async () => {
        await using file = await openFile(tree.place(key));
        if (file === undefined) return undefined;
        const stored = await file.stat({ bigint: true });
        if (ifMatch !== undefined && etagOf(stored) !== ifMatch)
          throw new ObjectStoreError('CHANGED', 'it was replaced');
        signal?.throwIfAborted();
        return await readUpTo(file, Math.max(0, Math.min(to, Number(stored.size)) - from), from);
      }),

    head: (key, { signal } = {}) =>
      call(signal, async () => {
        const path = tree.place(key);
        let file = await tree.file(path);
        while (file) {
          const headers = await headerFiles.read(key, file);
          if (headers) return { ...headers, ...infoOf(file) };
          // Headers go when their object is replaced: none were found for this one only if it still stands there.
          const again = await tree.file(path);
          if (again?.ino === file.ino && again.mtimeNs === file.mtimeNs) return infoOf(file);
          file = again;
        }
        return undefined;
      }),

    async *list(prefix, { signal, after } = {}) {
      signal?.throwIfAborted();
      const cut = prefix.lastIndexOf('/') + 1;
      const folder = cut === 0 ? root : placeOfFolder(prefix.slice(0, cut - 1));
      if (folder === undefined || !(await call(signal, () => tree.hasFolder(folder)))) return;
      for await (const key of walk(folder, prefix.slice(0, cut), prefix.slice(cut), signal)) {
        if (after === undefined || compareUtf8(key, after) > 0) yield key;
      }
    },

    delete: (key, { signal } = {}) =>
      call(signal, async () => {
        const path = tree.place(key);
        const file = await tree.file(path);
        if (!file) return;
        await unlink(path).catch(unless(['ENOENT'], undefined));
        await headerFiles.remove(key, file);
        await tree.prune(path);
      }),

    createUpload: (key, options) =>
      call(options.signal, async () => {
        // A conflict shows now, not when all parts have been sent.
        const path = tree.place(key);
        await atKey(() => tree.makeRoom(path));
        return uploads.create(key, options);
      }),

    putPart: (key, uploadId, number, body, { signal } = {}) =>
      call(signal, () => uploads.putPart(key, uploadId, number, body, signal)),

    completeUpload: (key, uploadId, parts, { signal } = {}) =>
      call(signal, async () => {
        const { path, headers } = await uploads.assemble(key, uploadId, parts);
        signal?.throwIfAborted();
        await publish(path, lstatSync(path, { bigint: true }), key, headers);
        await uploads.remove(uploadId);
      }),

    abortUpload: (key, uploadId) =>
      call(undefined, async () => {
        await uploads.remove(uploadId);
        await tree.prune(tree.place(key));
      }),

    openObject: (key) =>
      call(undefined, async () => {
        const file = await openFile(tree.place(key));
        if (!file) return undefined;
        try {
          const stat = await file.stat({ bigint: true });
          return {
            info: { ...(await headerFiles.read(key, stat)), bytes: Number(stat.size), etag: etagOf(stat) },
            read: (from, to) => readUpTo(file, Math.max(0, Math.min(to, Number(stat.size)) - from), from),
            [Symbol.asyncDispose]: () => file.close(),
          };
        } catch (error) {
          await file.close();
          throw error;
        }
      }),

    uploadLink: () => Promise.resolve(undefined),
  };
}

/**
 * Removes what killed processes left aside: files that were not yet moved to their key, and uploads, but for those in
 * `uploads`, which somebody goes on with. Only for the process that owns the folder, before the folder's store is used:
 * an upload under way cannot be told from one that was left.
 */
export async function removeStale(tempRoot: string, uploads: ReadonlySet<string> = new Set()): Promise<void> {
  for (const name of await readdir(tempRoot).catch(unless(['ENOENT'], []))) {
    if (!uploads.has(name)) await rm(join(tempRoot, name), { recursive: true, force: true });
  }
}

function infoOf(file: BigIntStats): { bytes: number; etag: string } {
  return { bytes: Number(file.size), etag: etagOf(file) };
}

/** Every write makes a file of its own, which is then moved to its key. */
function etagOf({ ino, mtimeNs, size }: BigIntStats): string {
  return `${ino}-${mtimeNs}-${size}`;
}

function ownFolder(path: string): string {
  mkdirSync(path, { recursive: true });
  return realpathSync.native(path);
}
