import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { FAILURES } from '../../../core/model/failure.ts';

test('docs/failures.md explains every code as the code does, and no other', async () => {
  const page = await readFile(new URL('../../../docs/failures.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| `(\w+)` +\| (.+?) +\| (.+?) +\| .+ \|$/gm)];
  expect(rows.map(([, code]) => code)).toEqual(Object.keys(FAILURES));
  for (const [, code, meaning, again] of rows) {
    const failure = FAILURES[code as keyof typeof FAILURES];
    expect(meaning?.replaceAll('`', ''), code).toBe(failure.meaning);
    const expected = { final: ['no', '–'], retry: ['entry'], host: ['host'] }[failure.verdict];
    expect(expected, code).toContain(again);
  }
});
