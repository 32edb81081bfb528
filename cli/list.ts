import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, openAsBlob } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { getSystemErrorMessage } from 'node:util';
import { Argument, Option, type Command } from 'commander';
import { formatOfName, LIST_FORMATS, type ListFormat } from '../core/model/list-format.ts';
import { UsageError } from './exit.ts';

/** A list that the user gave, wherever it came from. */
export interface List extends AsyncDisposable {
  /** To be sent. */
  blob: Blob;
  /** Its bytes, as often as they are asked for. */
  read: () => AsyncIterable<Buffer>;
  bytes: number;
  format: ListFormat;
  /** Of the file that it is. */
  path: string | undefined;
}

export interface ListFlags {
  inputFile?: string;
  inputFormat?: ListFormat;
}

/** Adds the argument and the flags of every command that takes a list. */
export function addListOptions(command: Command): Command {
  return command
    .addArgument(
      new Argument('[list-or-url...]', 'a list (docs/lists.md), - for one from standard input, or URLs themselves'),
    )
    .addOption(new Option('-i, --input-file <list>', 'the list, as in wget and aria2').helpGroup('List:'))
    .addOption(
      new Option('--input-format <format>', "the list's format, where its name does not say it")
        .choices(LIST_FORMATS)
        .helpGroup('List:'),
    );
}

/** Opens the list that arguments and flags name; the caller disposes of it. Errors: `UsageError`. */
export async function openList(args: readonly string[], flags: ListFlags, stdin: Readable): Promise<List> {
  const given = [...args, ...(flags.inputFile === undefined ? [] : [flags.inputFile])];
  const [first] = given;
  if (first === undefined) throw new UsageError('Which list? Name a file, - for standard input, or URLs.');
  if (args.length > 0 && given.every(isUrl)) {
    const text = Buffer.from(given.map((url) => `${url}\n`).join(''));
    return {
      blob: new Blob([text]),
      read: () => Readable.from([text]),
      bytes: text.length,
      format: flags.inputFormat ?? 'text',
      path: undefined,
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }
  if (given.length > 1) throw new UsageError('One list at a time: name one file, or URLs only.');
  if (isUrl(first)) throw new UsageError('--input-file needs a file, or - for standard input.');
  return first === '-' ? spool(stdin, flags.inputFormat ?? 'text') : openFile(first, flags.inputFormat);
}

/** SHA-256 of a list's bytes and whatever else, in hex. */
export async function digestOf({ read, format }: List, more: unknown): Promise<string> {
  const hash = createHash('sha256').update(`${JSON.stringify([format, more])}\n`);
  for await (const piece of read()) hash.update(piece);
  return hash.digest('hex');
}

function isUrl(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'errno' in error && typeof error.errno === 'number' ? getSystemErrorMessage(error.errno) : error.message;
}

async function listOf(path: string, format: ListFormat): Promise<List> {
  const blob = await openAsBlob(path);
  const read = () => createReadStream(path);
  return { blob, read, bytes: blob.size, format, path, [Symbol.asyncDispose]: () => Promise.resolve() };
}

async function openFile(path: string, format: ListFormat | undefined): Promise<List> {
  try {
    if ((await stat(path)).isDirectory()) throw new Error('it is a folder');
    return await listOf(path, format ?? formatOfName(path) ?? 'text');
  } catch (error) {
    throw new UsageError(`The list ${path} cannot be read: ${reasonOf(error)}.`, { cause: error });
  }
}

/** Keeps what comes aside, where only its owner looks: it is read more than once, and may be large. */
async function spool(stdin: Readable, format: ListFormat): Promise<List> {
  const folder = await mkdtemp(join(tmpdir(), 'downburst-list-'));
  const dispose = () => rm(folder, { recursive: true, force: true });
  try {
    const path = join(folder, 'list');
    await pipeline(stdin, createWriteStream(path, { mode: 0o600 }));
    return { ...(await listOf(path, format)), path: undefined, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}
