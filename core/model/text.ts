/** Numbers, times and others' texts as people read them, at a terminal and in a browser. */

/**
 * Characters that are not seen, that a terminal obeys, or that turn the order of others: controls, formats, separators,
 * private and lone ones, and letters that are blank.
 */
export const UNSEEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\u115f\u1160\u2800\u3164\uffa0]/gu;

/** A text from a list or a source so that nothing in it hides: what cannot be seen is written as `\u{202e}`. */
export function visible(text: string, hidden = UNSEEN): string {
  return text.replace(hidden, (character) => `\\u{${character.codePointAt(0)?.toString(16) ?? ''}}`);
}

/** Made by the first number: it takes longer than all that is written with it, and some commands write none. */
let format: Intl.NumberFormat | undefined;

/** `1,234` */
export function count(n: number): string {
  format ??= new Intl.NumberFormat('en-US');
  return format.format(n);
}

/** `1 file`, `1,234 files` */
export function counted(n: number, noun: string): string {
  return `${count(n)} ${noun}${n === 1 ? '' : 's'}`;
}

/** `0.25`, `12.3`, `1,234` */
export function threeDigits(n: number): string {
  if (n >= 99.95 || Number.isInteger(n)) return count(Math.round(n));
  return n.toFixed(n < 9.995 ? 2 : 1);
}

const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** `987 B`, `1.23 MB`: three digits, by 1,000 as disks and networks are sold. */
export function byteSize(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value >= 999.5 && unit < BYTE_UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? Math.round(value) : threeDigits(value)} ${BYTE_UNITS[unit] ?? ''}`;
}

/** `42 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`; what has begun counts as a whole second. */
export function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 3600) return inUnits(whole, 60, 'min', 's');
  const minutes = Math.round(whole / 60);
  if (minutes < 1440) return inUnits(minutes, 60, 'h', 'min');
  return inUnits(Math.round(minutes / 60), 24, 'd', 'h');
}

function inUnits(n: number, per: number, large: string, small: string): string {
  const [whole, rest] = [Math.floor(n / per), n % per];
  if (whole === 0) return `${rest} ${small}`;
  return rest === 0 ? `${whole} ${large}` : `${whole} ${large} ${rest} ${small}`;
}

/** A whole percentage that is 100 only when all is over, and 0 only when nothing is. */
export function percent(part: number, of: number): number {
  if (of === 0 || part === 0) return 0;
  return part === of ? 100 : Math.min(99, Math.max(1, Math.floor((100 * part) / of)));
}
