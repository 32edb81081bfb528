const SHOWN_CHARACTERS = 200;

/** A URL, or what was meant to be one, fit for messages: no credentials, no query, not long. */
export function redactUrl(text: string): string {
  const url = URL.parse(text);
  if (url?.host) return shorten(`${url.protocol}//${url.host}${url.pathname}${url.search === '' ? '' : '?…'}`);
  // No URL, so that nobody knows where a user name, a password or a query begins and ends.
  return text.includes('@') ? '…' : shorten(text.replace(/[?#].*$/s, '…'));
}

/** A value fit for messages. */
export function shorten(text: string): string {
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}
