import { hash } from 'node:crypto';
import { MAX_DEFAULT_KEY_BYTES, MAX_KEY_BYTES, MAX_KEY_SEGMENT_BYTES } from '../model/limits.ts';
import { plainKey } from './plain-url.ts';

/** 64 bits: ten million URLs that share their path share no hash but once in 300,000 lists. */
const HASH_DIGITS = 16;
/** Control characters, and what file systems or shells take for something else. */
const UNSAFE = /[\p{Cc}\p{Cs}\\:*?"<>|/]/gu;
/** What most segments are, and what needs no change. */
const PLAIN = /^[\w~-][\w.~-]*$/;
const EXTENSION = /^(.+)(\.[A-Za-z0-9]{1,10})$/s;

/** The parts that a key can be made of, each safe as part of a key. */
export interface KeyParts {
  host: string;
  path: string;
  name: string;
  stem: string;
  /** With its dot; empty where there is none. */
  ext: string;
}

/**
 * Splits a URL into the parts of its key. Also says whether host, path and name alone tell the URL apart from every
 * other; if not, the key needs the hash.
 */
function takeApart(url: URL): { parts: KeyParts; exact: boolean } {
  // `search` is empty for an empty query, too; in a canonical URL nothing else has a question mark.
  let exact = !url.href.includes('?');

  const secure = url.protocol === 'https:';
  const origin = secure && url.port === '' ? url.hostname : `${url.hostname}_${url.port || '80'}`;
  const host = safeSegment(origin);
  // The port stands for http; a name that has the underscore itself could be taken for another host with its port.
  exact &&= host === origin && !url.hostname.includes('_') && !(secure && url.port !== '');

  const raw = url.pathname.slice(1).split('/');
  const last = raw.pop() ?? '';
  const folders: string[] = [];
  for (const segment of raw) {
    const { text, same } = readable(segment);
    exact &&= same;
    if (text !== '') folders.push(text);
  }
  const name = readable(last === '' ? 'index' : last);
  exact &&= name.same && last !== '';

  const match = EXTENSION.exec(name.text);
  const [stem, ext] = match ? [match[1] ?? '', match[2] ?? ''] : [name.text, ''];
  exact &&= ext !== '';
  return { parts: { host, path: [...folders, name.text].join('/'), name: name.text, stem, ext }, exact };
}

/** The first digits of SHA-256(URL), in hex. */
function hashOf(url: URL): string {
  return hash('sha256', url.href).slice(0, HASH_DIGITS);
}

/** A segment of a URL's path as people would write it, and whether that writing means this segment and no other. */
function readable(segment: string): { text: string; same: boolean } {
  let text = segment;
  if (segment.includes('%')) {
    try {
      text = decodeURIComponent(segment);
    } catch {
      // Not UTF-8: left as it is.
    }
  }
  const lossless = text === segment || new URL(`http://h/${text}`).pathname === `/${segment}`;
  const safe = safeSegment(text);
  return { text: safe, same: lossless && safe === text && safe !== '' };
}

function safeSegment(text: string): string {
  if (PLAIN.test(text)) return text;
  const safe = text.normalize('NFC').replace(UNSAFE, '_');
  return /^\.*$/.test(safe) ? safe.replaceAll('.', '_') : safe;
}

/** Cuts a text to `bytes` bytes of UTF-8 between two characters. */
function cut(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text;
  let size = 0;
  let result = '';
  for (const character of text) {
    size += Buffer.byteLength(character);
    if (size > bytes) break;
    result += character;
  }
  return result;
}

/**
 * The key of a canonical URL: host and path, with the URL's hash in the name where these do not tell it apart from
 * others. A function of the URL alone, so that a second run meets the files of the first.
 */
export function defaultKey(href: string): string {
  if (latest?.href !== href) latest = { href, key: plainKey(href) ?? makeDefaultKey(new URL(href)) };
  return latest.key;
}

/** The URL whose key was made last: an entry's is asked for when it is checked, and again when its line is written. */
let latest: { href: string; key: string } | undefined;

function makeDefaultKey(url: URL): string {
  const { parts, exact } = takeApart(url);
  const plain = `${parts.host}/${parts.path}`;
  if (exact && fits(plain)) return plain;

  const tail = `~${hashOf(url)}${parts.ext}`;
  const folders = [parts.host, ...parts.path.split('/').slice(0, -1)];
  const name = `${cut(parts.stem, MAX_KEY_SEGMENT_BYTES - tail.length)}${tail}`;
  const whole = [...folders, name].join('/');
  return fits(whole) ? whole : `${cut(parts.host, MAX_KEY_SEGMENT_BYTES)}/${name}`;
}

function fits(key: string): boolean {
  const bytes = Buffer.byteLength(key);
  if (bytes <= MAX_KEY_SEGMENT_BYTES) return true;
  return (
    bytes <= MAX_DEFAULT_KEY_BYTES &&
    key.split('/').every((segment) => Buffer.byteLength(segment) <= MAX_KEY_SEGMENT_BYTES)
  );
}

const PLACEHOLDER = /\{([^{}]*)\}/g;
const PLACEHOLDERS = ['host', 'path', 'name', 'stem', 'ext', 'index', 'hash'] as const;

/** What is wrong with a key template; `undefined` if nothing is. */
export function templateProblem(template: string): string | undefined {
  if (Buffer.byteLength(template) > MAX_KEY_BYTES) return `has more than ${MAX_KEY_BYTES} bytes`;
  for (const [whole, name] of template.matchAll(PLACEHOLDER)) {
    if (!PLACEHOLDERS.some((known) => known === name)) {
      return `${whole} is not known; use ${PLACEHOLDERS.map((known) => `{${known}}`).join(' ')}`;
    }
  }
  const literal = template.replace(PLACEHOLDER, '');
  if (/[{}]/.test(literal)) return 'has a brace without its partner';
  return literal === template ? 'names no part of the URL, so that all files would have one key' : undefined;
}

/** The key that a template makes of a canonical URL and its line in the list. */
export function templateKey(template: string, url: URL, index: number): string {
  const values: Record<string, string> = { ...takeApart(url).parts, index: String(index), hash: hashOf(url) };
  return template.replace(PLACEHOLDER, (_, name: string) => values[name] ?? '');
}

/** What is wrong with a key that a user gave or a template made; `undefined` if nothing is. */
export function keyProblem(key: string, room = MAX_KEY_BYTES): string | undefined {
  if (key === '') return 'is empty';
  if (/[\p{Cc}\p{Cs}]/u.test(key)) return 'has a control character';
  if (key.includes('\\')) return 'has a backslash; folders are separated by /';
  if (key.startsWith('/')) return 'starts with /; keys are relative';
  const bytes = Buffer.byteLength(key);
  if (bytes > room) return `has ${bytes} bytes; at most ${room} fit behind the prefix`;
  for (const segment of key.split('/')) {
    if (segment === '') return 'has an empty segment (// or a / at the end)';
    if (segment === '.' || segment === '..') return `has the segment ${segment}`;
    if (Buffer.byteLength(segment) > MAX_KEY_SEGMENT_BYTES) {
      return `has a segment of more than ${MAX_KEY_SEGMENT_BYTES} bytes`;
    }
  }
  return undefined;
}
