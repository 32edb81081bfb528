/**
 * Characters that are not seen, or that turn the order of others: controls, formats, separators, private and lone ones,
 * letters that are blank, and a space at either end.
 */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\u115f\u1160\u2800\u3164\uffa0]|^\s|\s$/gu;

/** A text from a list or a source so that nothing in it hides: what cannot be seen is written as `\u{202e}`. */
export function visible(text: string): string {
  return text.replace(UNSEEN, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}

/** The URL if a browser may be sent there; `undefined` for every other scheme, and for what is no URL. */
export function webUrl(text: string): string | undefined {
  const url = URL.parse(text);
  return url && /^https?:$/.test(url.protocol) ? url.href : undefined;
}
