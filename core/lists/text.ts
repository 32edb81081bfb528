import type { ListBlock, ListItem } from './item.ts';
import { MAX_LINE_BYTES, NEWLINE, readLineBlocks, tooLong, type LineBlock } from './lines.ts';

const RETURN = 0x0d;
const [HASH, FIRST_VISIBLE, LAST_VISIBLE] = [0x23, 0x21, 0x7e];

/** Reads a list of one URL a line. Blank lines and lines that begin with `#` are passed over. */
export async function* readText(pieces: AsyncIterable<Buffer>): AsyncGenerator<ListBlock> {
  for await (const block of readLineBlocks(pieces)) yield itemsOf(block);
}

function* itemsOf({ line: first, bytes }: LineBlock): Generator<ListItem> {
  for (let line = first, from = 0; from < bytes.length; line++) {
    const newline = bytes.indexOf(NEWLINE, from);
    const end = newline < 0 ? bytes.length : newline;
    if (end - from > MAX_LINE_BYTES) throw tooLong(line);
    const to = bytes[end - 1] === RETURN ? end - 1 : end;
    if (isTrim(bytes, from, to)) {
      if (bytes[from] !== HASH) yield { line, bytes, from, to };
    } else {
      const value = bytes.toString('utf8', from, to).trim();
      if (value !== '' && !value.startsWith('#')) yield { line, value };
    }
    from = end + 1;
  }
}

/** Whether there is a text without anything around it that `trim` could take away. */
function isTrim(bytes: Buffer, from: number, to: number): boolean {
  return from < to && isVisible(bytes[from]) && isVisible(bytes[to - 1]);
}

/** Whether a byte is a character of ASCII that is neither a control nor a space. */
function isVisible(byte = 0): boolean {
  return byte >= FIRST_VISIBLE && byte <= LAST_VISIBLE;
}
