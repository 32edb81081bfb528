import { expect, it } from 'vitest';
import { jsonLine } from '../../../cli/text.ts';

it('what lists and sources say is the same once read as JSON, and not obeyed by a terminal before', () => {
  const value = { url: 'https://example.com/\u009b\u202e\u{e0041}🙂\n' };
  const line = jsonLine(value);
  expect(JSON.parse(line)).toEqual(value);
  expect(line).toMatch(/^[^\p{C}]*\n$/u);
});
