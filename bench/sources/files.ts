import { mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Context } from '../harness/benchmark.ts';
import { contentOf, fileName, fileNumber } from './content.ts';

/** So many files of so many bytes each, numbered from 0. */
export interface FileSet {
  count: number;
  bytes: number;
}

const BLOCK_BYTES = 4 * 1024 ** 2;
/** Files whose bytes are compared, and of each at most so many blocks, spread over all of it. */
const SAMPLED_FILES = 100;
const SAMPLED_BLOCKS = 256;
const SAMPLE_BYTES = 64 * 1024;
/** What Downburst remembers beside the files. */
const STATE_FOLDER = '.downburst';

/** Writes them into a folder that is there. Errors: the signal's reason. */
export async function writeFiles(folder: string, { count, bytes }: FileSet, signal?: AbortSignal): Promise<void> {
  for (let file = 0; file < count; file++) {
    signal?.throwIfAborted();
    const path = join(folder, fileName(file));
    if (bytes <= BLOCK_BYTES) {
      await writeFile(path, contentOf(file, 0, bytes));
      continue;
    }
    await using handle = await open(path, 'w');
    for (let at = 0; at < bytes; at += BLOCK_BYTES) {
      signal?.throwIfAborted();
      await handle.write(contentOf(file, at, Math.min(bytes, at + BLOCK_BYTES)));
    }
  }
}

/**
 * Takes as much memory as they will, and gives it back: a virtual machine is given its own when it is first written to, which the
 * first contestant would pay for.
 */
export async function warmMemory({ memoryFolder, signal }: Context, files: FileSet): Promise<void> {
  const folder = await mkdtemp(join(memoryFolder, 'warm-'));
  try {
    await writeFiles(folder, files, signal);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/**
 * Checks that a folder, with what is below it, holds these files and nothing else: each one's size, and the bytes of a sample.
 * Errors: what is missing, too many or wrong.
 */
export async function checkFiles(folder: string, { count, bytes }: FileSet): Promise<void> {
  const paths = new Map<number, string>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || join(entry.parentPath, '/').includes(`/${STATE_FOLDER}/`)) continue;
    const file = fileNumber(entry.name);
    if (file === undefined || file >= count) throw new Error(`${entry.name} is none of the files.`);
    if (paths.has(file)) throw new Error(`${entry.name} is there twice.`);
    paths.set(file, join(entry.parentPath, entry.name));
  }
  if (paths.size !== count) throw new Error(`${count - paths.size} of ${count} files are missing.`);
  const step = Math.ceil(count / SAMPLED_FILES);
  for (const [file, path] of paths) {
    await using handle = await open(path);
    const { size } = await handle.stat();
    if (size !== bytes) throw new Error(`${path} has ${size} bytes instead of ${bytes}.`);
    if (file % step === 0 || file === count - 1) await checkContent(handle, file, bytes);
  }
}

async function checkContent(handle: Awaited<ReturnType<typeof open>>, file: number, bytes: number): Promise<void> {
  const stride = Math.max(SAMPLE_BYTES, Math.floor(bytes / SAMPLED_BLOCKS));
  const block = Buffer.alloc(SAMPLE_BYTES);
  for (let at = 0; at < bytes; at += stride) {
    const expected = contentOf(file, at, Math.min(bytes, at + SAMPLE_BYTES));
    const { bytesRead } = await handle.read(block, 0, expected.length, at);
    if (!block.subarray(0, bytesRead).equals(expected)) throw new Error(`${fileName(file)} is wrong after byte ${at}.`);
  }
}
