import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const MODEL = fileURLToPath(new URL('../../../bench/fleet.ts', import.meta.url));

/** A table's row without what the formatter pads it with. */
const bare = (line: string) => line.replaceAll(/ +/g, ' ').replaceAll(/-{3,}/g, '---');

it('docs/scale.md says what the model says', async () => {
  const page = await readFile(new URL('../../../docs/scale.md', import.meta.url), 'utf8');
  const rows = page.split('\n').map(bare);
  const { stdout } = await promisify(execFile)(process.execPath, [MODEL]);
  const said = stdout.split('\n').filter((line) => line !== '');
  expect(said).toHaveLength(14);
  for (const line of said) expect(rows).toContain(line);
});
