import { UNSEEN, visible } from '../core/model/text.ts';

/** A value as one line of JSON that is harmless on a terminal, too. */
export function jsonLine(value: unknown): string {
  const escape = (character: string) =>
    Array.from({ length: character.length }, (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`);
  return `${JSON.stringify(value).replace(UNSEEN, (character) => escape(character).join(''))}\n`;
}

/** Prints lines to stdout; what a terminal would obey is shown. */
export function printLines(text: string): void {
  const lines = text.replace(/\n$/, '').split('\n');
  process.stdout.write(
    `${lines
      .map((line) =>
        line
          .split('\t')
          .map((cell) => visible(cell))
          .join('\t'),
      )
      .join('\n')}\n`,
  );
}
