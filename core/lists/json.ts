import { Tokenizer, TokenParser, TokenType } from '@streamparser/json';
import { shorten } from '../model/redact.ts';
import { advance, type Place } from './decode.ts';
import { unreadable, type ListBlock, type ListItem } from './item.ts';

/** Where the parser collects a string; its default is an array of characters. */
const STRING_BUFFER_BYTES = 64 * 1024;
/** Bytes of the text that one item may take, as those of a line in other formats. */
const MAX_ITEM_BYTES = 256 * 1024;

type Token = Parameters<TokenParser['write']>[0];

/**
 * Reads a JSON array of URLs and objects that hold one, or an object with such an array as `urls`: the body of
 * `POST /batches` without name and options. An item's line is its place in the array.
 *
 * @throws InvalidListError for what is no JSON, or neither of these
 */
export async function* readJson(pieces: AsyncIterable<Buffer>): AsyncGenerator<ListBlock> {
  const items: ListItem[] = [];
  let place = 0;
  /** Where the newest token begins, and where the newest item ended, in bytes. */
  let tokenAt = -1;
  let itemAt = 0;
  let parser: TokenParser | undefined;
  const frame = createFrame();

  const tokenizer = new Tokenizer({ stringBufferSize: STRING_BUFFER_BYTES });
  tokenizer.onToken = (token) => {
    tokenAt = token.offset;
    frame.check(token);
    // What is told of is not kept: neither the array nor the object around it is ever whole in memory.
    parser ??= new TokenParser({
      paths: [token.token === TokenType.LEFT_BRACE ? '$.urls.*' : '$.*'],
      keepStack: false,
    });
    parser.onValue = ({ value }) => {
      items.push({ line: ++place, value });
      itemAt = tokenAt;
    };
    parser.write(token);
  };

  let at: Place = { line: 1, column: 1 };
  let read = 0;
  /** Where the last token of the pieces before begins. */
  let before: Place = at;
  for await (const piece of pieces) {
    const from = tokenAt;
    /** Where the newest token begins; in an earlier piece perhaps, but in the line in which this one goes on. */
    const tokenPlace = (): Place => {
      if (tokenAt === from) return before;
      if (tokenAt >= read) return advance(at, piece.subarray(0, tokenAt - read));
      return { line: at.line, column: at.column + tokenAt - read };
    };
    try {
      tokenizer.write(piece);
    } catch (error) {
      const { line, column } = tokenPlace();
      const reason = error instanceof WrongFrame ? error.message : 'begins the last piece of the text that is JSON';
      throw unreadable(line, column, reason, { cause: error });
    }
    yield items.splice(0);
    if (read - itemAt > MAX_ITEM_BYTES) {
      throw unreadable(at.line, at.column, `is within an entry of more than ${MAX_ITEM_BYTES} bytes`);
    }
    before = tokenPlace();
    at = advance(at, piece);
    read += piece.length;
  }
  if (parser?.isEnded !== true) throw unreadable(at.line, at.column, 'is the end of the text, but not of its JSON');
}

/** JSON that is no list. */
class WrongFrame extends Error {}

/** Sees to what is around the items: an array, or an object whose only field is one. */
function createFrame() {
  let depth = 0;
  let inObject = false;
  let last: Token | undefined;

  return {
    check(token: Token): void {
      const { token: kind } = token;
      const opens = kind === TokenType.LEFT_BRACE || kind === TokenType.LEFT_BRACKET;
      if (!last && !opens) throw new WrongFrame('is neither an array nor an object with urls');
      if (!last) inObject = kind === TokenType.LEFT_BRACE;
      if (inObject && depth === 1 && last) {
        if (kind === TokenType.COLON && last.value !== 'urls') {
          const name = shorten(String(last.value));
          throw new WrongFrame(`comes behind the field ${name}, which is not known; a list has urls alone`);
        }
        if (last.token === TokenType.COLON && kind !== TokenType.LEFT_BRACKET)
          throw new WrongFrame('is no array of URLs');
      }
      if (opens) depth += 1;
      else if (kind === TokenType.RIGHT_BRACE || kind === TokenType.RIGHT_BRACKET) depth -= 1;
      last = token;
    },
  };
}
