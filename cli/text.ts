/** What a terminal would obey, reorder or hide: controls, formats (those that turn the direction of text) and separators. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/gu;

/** Text of lists and sources fit for a terminal: what it would obey is shown as `\u{1b}`. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => `\\u{${character.codePointAt(0)?.toString(16) ?? ''}}`);
}

/** A value as one line of JSON that is harmless on a terminal, too. */
export function jsonLine(value: unknown): string {
  const escape = (character: string) =>
    Array.from({ length: character.length }, (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`);
  return `${JSON.stringify(value).replace(UNPRINTABLE, (character) => escape(character).join(''))}\n`;
}

/** Prints lines to stdout; what a terminal would obey is shown. */
export function printLines(text: string): void {
  const lines = text.replace(/\n$/, '').split('\n');
  process.stdout.write(`${lines.map((line) => line.split('\t').map(printable).join('\t')).join('\n')}\n`);
}

const COUNT = new Intl.NumberFormat('en-US');

/** `12,345` */
export function count(n: number): string {
  return COUNT.format(n);
}

/** `1 file`, `2 files` */
export function counted(n: number, noun: string): string {
  return `${count(n)} ${noun}${n === 1 ? '' : 's'}`;
}

const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** `999 B`, `1.5 MB`: by 1,000, as disks and networks are sold. */
export function byteSize(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value >= 999.5 && unit < BYTE_UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)} ${BYTE_UNITS[unit] ?? ''}`;
}

/** `42 s`, `3 min 05 s`, `2 h 10 min`, `3 d 4 h` */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
  const minutes = Math.round(whole / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  const hours = Math.round(minutes / 60);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
