import { hash } from 'node:crypto';
import { mkdirSync, writeFileSync, type BigIntStats } from 'node:fs';
import { readFile, unlink } from 'node:fs/promises';
import { dirname, sep } from 'node:path';
import type { ObjectHeaders } from '../../core/ports/object-store.ts';
import { codeOf, unless } from './errors.ts';

/**
 * Objects' headers, each in a small file beside. Its name is made of the key and of what identifies the object's file
 * (inode, size, time of change: a rename keeps all three). So headers are written before their object is moved into
 * place and become visible with it; those of a replaced object no longer match, whatever was killed in between.
 *
 * They are not synced: a power cut may cost an object its headers, never give it another's. So does a copy of the
 * folder, whose files have other inodes.
 */
export interface HeaderFiles {
  write(key: string, file: BigIntStats, headers: ObjectHeaders): void;
  read(key: string, file: BigIntStats): Promise<ObjectHeaders | undefined>;
  remove(key: string, file: BigIntStats): Promise<void>;
}

export function createHeaderFiles(folder: string): HeaderFiles {
  function place(key: string, file: BigIntStats): string {
    const identity = `${file.ino.toString()} ${file.size.toString()} ${file.mtimeNs.toString()} ${key}`;
    const digest = hash('sha256', identity);
    return `${folder}${sep}${digest.slice(0, 2)}${sep}${digest.slice(2, 40)}.json`;
  }

  return {
    write(key, file, headers) {
      const path = place(key, file);
      const text = JSON.stringify(headers);
      try {
        writeFileSync(path, text);
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') throw error;
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, text);
      }
    },
    async read(key, file) {
      const text = await readFile(place(key, file), 'utf8').catch(unless(['ENOENT'], undefined));
      return text === undefined ? undefined : parse(text);
    },
    remove: (key, file) => unlink(place(key, file)).catch(unless(['ENOENT'], undefined)),
  };
}

/** Only a power cut leaves a torn file; its object then has no headers. */
function parse(text: string): ObjectHeaders | undefined {
  try {
    return JSON.parse(text) as ObjectHeaders;
  } catch {
    return undefined;
  }
}
