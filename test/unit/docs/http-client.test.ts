import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { compare } from '../../../bench/http-clients.ts';

test('docs/http-client.md says of each client what it really does', async () => {
  const page = await readFile(new URL('../../../docs/http-client.md', import.meta.url), 'utf8');
  const lines = page.split('\n').map((line) => line.replaceAll(/ +/g, ' '));
  for await (const line of compare()) expect(lines).toContain(line);
});
