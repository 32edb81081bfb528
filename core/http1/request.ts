import { TOKEN } from './head.ts';

/** What a field's value cannot have (RFC 9110, section 5.5): here it would begin a line of its own. */
const NOT_IN_VALUES = /[^\t\x20-\x7e\x80-\xff]/;
/** Names as they are spelled, by those in lower case; there are few, and a user's own are a handful. */
const spellings = new Map<string, string>();
const MAX_SPELLINGS = 1000;

/**
 * A request's head as it is sent, with the empty line that ends it (RFC 9112, section 2.1). Errors: a `TypeError` for what
 * no header can be.
 *
 * @param target path and query
 * @param headers by their names in lower case, `host` first, all but `connection`
 */
export function requestHead(method: string, target: string, headers: Readonly<Record<string, string>>): string {
  let text = `${method} ${target} HTTP/1.1\r\n`;
  for (const name in headers) {
    const value = headers[name] ?? '';
    if (NOT_IN_VALUES.test(value)) throw new TypeError('A header cannot be sent.');
    text += `${spellings.get(name) ?? spell(name)}: ${value}\r\n`;
  }
  return `${text}Connection: keep-alive\r\n\r\n`;
}

/** Some servers know the usual spelling only. */
function spell(name: string): string {
  if (!TOKEN.test(name)) throw new TypeError('A header cannot be sent.');
  const spelled = name.replace(/(^|-)[a-z]/g, (start) => start.toUpperCase());
  if (spellings.size < MAX_SPELLINGS) spellings.set(name, spelled);
  return spelled;
}
