/** One item of a user's list: a URL, or an object that holds one. */
export interface ListItem {
  /** From 1. */
  line: number;
  value: unknown;
}

/** Reads a list of one URL a line. Blank lines and lines that begin with `#` are passed over; CRLF and a BOM are fine. */
export function* readTextList(text: string): Generator<ListItem> {
  let line = 0;
  let from = text.startsWith('\uFEFF') ? 1 : 0;
  while (from < text.length) {
    let to = text.indexOf('\n', from);
    if (to < 0) to = text.length;
    line += 1;
    const value = text.slice(from, to).trim();
    if (value !== '' && !value.startsWith('#')) yield { line, value };
    from = to + 1;
  }
}
