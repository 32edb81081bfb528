/** Numbers and times as people read them. */

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** `1,234`. */
export function count(n: number): string {
  return n.toLocaleString('en-US');
}

/** `1 file`, `1,234 files`. */
export function counted(n: number, noun: string): string {
  return `${count(n)} ${noun}${n === 1 ? '' : 's'}`;
}

/** `987 B`, `1.23 MB`: three digits of decimal units. */
export function bytes(n: number): string {
  const power = n < 1000 ? 0 : Math.min(Math.floor(Math.log10(n) / 3), UNITS.length - 1);
  return `${threeDigits(n / 1000 ** power)} ${UNITS[power] ?? ''}`;
}

/** `0.25`, `12.3`, `1,234`. */
export function threeDigits(n: number): string {
  if (n >= 100 || Number.isInteger(n)) return count(Math.round(n));
  return n.toFixed(n < 10 ? 2 : 1);
}

/** `45 s`, `12 min`, `3 h 20 min`, `2 d 4 h`. */
export function duration(seconds: number): string {
  const minutes = Math.round(seconds / 60);
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return hours % 24 === 0 ? `${hours / 24} d` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** A whole percentage that is 100 only when all is over, and 0 only when nothing is. */
export function percent(part: number, of: number): number {
  if (of === 0 || part === 0) return 0;
  return part === of ? 100 : Math.min(99, Math.max(1, Math.floor((100 * part) / of)));
}

/** A moment in the reader's own time zone. */
export function time(iso: string): string {
  return new Date(iso).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
}
