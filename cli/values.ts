import ipaddr from 'ipaddr.js';
import { UsageError } from './exit.ts';

/** What flags are followed by. Each parser names its flag and throws a `UsageError` that says what is wanted. */

type Parse<T> = (text: string) => T;

const UNITS: Record<string, number> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };

export function wholeNumber(flag: string, { min, max }: { min: number; max: number }): Parse<number> {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    throw new UsageError(`${flag} needs a whole number from ${min} to ${max}, not '${text}'.`);
  };
}

/** A number that may have a fraction. */
export function realNumber(flag: string, { min, max }: { min: number; max: number }): Parse<number> {
  return (text) => {
    const value = /^\d{1,15}(\.\d{1,9})?$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    throw new UsageError(`${flag} needs a number from ${min} to ${max}, not '${text}'.`);
  };
}

/** Seconds, as curl takes them, within a range of milliseconds; answers milliseconds. */
export function seconds(flag: string, { min, max }: { min: number; max: number }): Parse<number> {
  const parse = realNumber(flag, { min: min / 1000, max: max / 1000 });
  return (text) => Math.round(1000 * parse(text));
}

/** Bytes as curl and wget take them: `500k`, `2G`, by 1,024. */
export function bytes(flag: string, { min, max }: { min: number; max: number }): Parse<number> {
  return (text) => {
    const [, digits = '', unit = ''] = /^(\d{1,15}(?:\.\d{1,6})?)([kmgt]?)$/i.exec(text) ?? [];
    const value = digits === '' ? NaN : Math.round(Number(digits) * (UNITS[unit.toLowerCase()] ?? NaN));
    if (value >= min && value <= max) return value;
    throw new UsageError(`${flag} needs a number of bytes like 500k or 2G, from ${min} to ${max}, not '${text}'.`);
  };
}

export function network(flag: string): Parse<string> {
  return (text) => {
    if (ipaddr.isValidCIDR(text)) return text;
    throw new UsageError(`${flag} needs a network like 10.1.0.0/16 or fd00::/8, not '${text}'.`);
  };
}

/** An absolute http or https URL. */
export function httpUrl(flag: string): Parse<string> {
  return (text) => {
    const url = URL.parse(text);
    if (url && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '') return url.href;
    // What was given may hold secrets.
    throw new UsageError(`${flag} needs a URL like https://example.com/path, without credentials.`);
  };
}

export function folder(flag: string): Parse<string> {
  return (text) => {
    if (text !== '') return text;
    throw new UsageError(`${flag} needs a folder.`);
  };
}

/** For flags that can be given more than once: their values in a list. */
export function collect<T>(parse: Parse<T>): (text: string, before: T[] | undefined) => T[] {
  return (text, before = []) => [...before, parse(text)];
}
