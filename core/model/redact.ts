const SHOWN_CHARACTERS = 200;

/** A URL, or what was meant to be one, fit for messages: no credentials, no query, not long. */
export function redactUrl(text: string): string {
  const bare = text
    .replace(/\/\/[^/?#\\]*@/, '//…@')
    .replace(/\?.*$/s, '?…')
    .replace(/#.*$/s, '');
  return shorten(bare);
}

/** A value fit for messages. */
export function shorten(text: string): string {
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}
