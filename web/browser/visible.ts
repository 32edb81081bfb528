import { UNSEEN, visible as written } from '../../core/model/text.ts';

/** What does not show on a page: a space at either end, too. */
const HIDDEN = new RegExp(`${UNSEEN.source}|^\\s|\\s$`, 'gu');

/** A text from a list or a source so that nothing in it hides: what cannot be seen is written as `\u{202e}`. */
export function visible(text: string): string {
  return written(text, HIDDEN);
}

/** The URL if a browser may be sent there; `undefined` for every other scheme, and for what is no URL. */
export function webUrl(text: string): string | undefined {
  const url = URL.parse(text);
  return url && /^https?:$/.test(url.protocol) ? url.href : undefined;
}
