import { defaultKey } from '../plan/keys.ts';
import { shorten } from '../model/redact.ts';
import type { ListProblem } from '../model/errors.ts';
import type { ListBlock, ListItem } from './item.ts';
import { readLines, type Line } from './lines.ts';

/** Options that only say how aria2 downloads; how Downburst does is said with the batch. */
const PASSED_OVER = new Set([
  'allow-overwrite',
  'always-resume',
  'auto-file-renaming',
  'conditional-get',
  'connect-timeout',
  'continue',
  'file-allocation',
  'gid',
  'lowest-speed-limit',
  'max-connection-per-server',
  'max-download-limit',
  'max-tries',
  'min-split-size',
  'pause',
  'piece-length',
  'remote-time',
  'retry-wait',
  'split',
  'stream-piece-selector',
  'timeout',
  'uri-selector',
]);
const DIGESTS: Record<string, 'md5' | 'sha256'> = { md5: 'md5', 'sha-256': 'sha256' };
/** Options that are request headers of their own. */
const HEADER_OPTIONS: Record<string, string> = { 'user-agent': 'User-Agent', referer: 'Referer' };

interface Download {
  line: number;
  url: string;
  dir: string;
  out: string | undefined;
  /** As lists of names and values, since one can come twice. */
  headers: [string, string][];
  digests: Partial<Record<'md5' | 'sha256', string>>;
  problem?: Omit<ListProblem, 'line'>;
}

/**
 * Reads an input file of aria2 (https://aria2.github.io/manual/en/html/aria2c.html#input-file): a URL a line, then its
 * options, each on a line of its own that begins with a space or a tab. `dir` and `out` make the key, `checksum` and
 * `header` say what they say there. Other options that change what is downloaded are refused by name.
 */
export async function* readAria2(pieces: AsyncIterable<Buffer>): AsyncGenerator<ListBlock> {
  let current: Download | undefined;
  function* itemsOf(lines: Iterable<Line>): Generator<ListItem> {
    for (const { line, text } of lines) {
      if (text.trim() === '' || text.startsWith('#')) continue;
      if (/^[ \t]/.test(text)) {
        if (current) readOption(current, text.trim());
        else yield { line, value: undefined, problem: problem('', 'is an option with no URL before it') };
        continue;
      }
      if (current) yield itemOf(current);
      const uris = text.split('\t').filter((uri) => uri.trim() !== '');
      current = { line, url: (uris[0] ?? '').trim(), dir: '', out: undefined, headers: [], digests: {} };
      if (uris.length > 1)
        current.problem = problem('url', `is followed by ${uris.length - 1} mirrors; keep one URL a line`);
    }
  }
  for await (const lines of readLines(pieces)) yield itemsOf(lines);
  if (current) yield [itemOf(current)];
}

function problem(field: string, reason: string, value = ''): Omit<ListProblem, 'line'> {
  return { field, value, reason };
}

function readOption(download: Download, text: string): void {
  const equals = text.indexOf('=');
  const name = equals < 0 ? text : text.slice(0, equals).trim();
  const value = equals < 0 ? '' : text.slice(equals + 1).trim();
  const header = HEADER_OPTIONS[name];
  if (name === 'out') download.out = value;
  else if (name === 'dir') download.dir = folderOf(value);
  else if (name === 'header') readHeader(download, value);
  else if (name === 'checksum') readChecksum(download, value);
  else if (header !== undefined) download.headers.push([header, value]);
  else if (!PASSED_OVER.has(name)) {
    const shown = shorten(/^[\w-]*/.exec(name)?.[0] ?? '');
    download.problem ??= problem(shown, 'is an option of aria2 that has no counterpart here; take it out');
  }
}

function readHeader(download: Download, value: string): void {
  const colon = value.indexOf(':');
  // Without its value, which may be a secret.
  if (colon < 1) download.problem ??= problem('header', 'is not of the form Name: value');
  else download.headers.push([value.slice(0, colon).trim(), value.slice(colon + 1).trim()]);
}

function readChecksum(download: Download, value: string): void {
  const [type = '', digest = ''] = value.split('=');
  const field = DIGESTS[type.toLowerCase()];
  if (field) download.digests[field] = digest;
  else
    download.problem ??= problem('checksum', 'is neither md5=… nor sha-256=…; others are not checked', shorten(type));
}

/** A folder of the user's machine as one below the batch's prefix: `/data/x/` and `./data/x` are `data/x`. */
function folderOf(dir: string): string {
  return dir
    .split('/')
    .filter((segment) => segment !== '' && segment !== '.')
    .join('/');
}

function itemOf({ line, url, dir, out, headers, digests, problem }: Download): ListItem {
  if (problem) return { line, value: undefined, problem };
  const folder = dir === '' ? '' : `${dir}/`;
  const value: Record<string, unknown> = { url, ...digests };
  if (headers.length > 0) value.headers = Object.fromEntries(headers);
  if (out !== undefined) value.key = folder + folderOf(out);
  else if (folder !== '') value.key = folder + keyOf(url);
  return { line, value };
}

/** Of what is no URL nothing: that is said when the entry is checked. */
function keyOf(url: string): string {
  const parsed = URL.parse(url);
  return parsed ? defaultKey(parsed.href) : 'none';
}
