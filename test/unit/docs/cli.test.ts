import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { EXIT } from '../../../cli/exit.ts';
import { createProgram } from '../../../cli/program.ts';

test('docs/cli.md names every command, every flag of downloads and every exit status', async () => {
  const page = await readFile(new URL('../../../docs/cli.md', import.meta.url), 'utf8');
  const { commands } = await createProgram({ version: '', threadScript: new URL('file:///none') });
  const named = (word: string) => new RegExp(`[\`(| ]${word}[\`, \`]`).test(page);
  for (const command of commands) expect(named(command.name()), command.name()).toBe(true);
  const flags = commands.find((command) => command.name() === 'get')?.options ?? [];
  for (const { long, helpGroupHeading } of flags) {
    if (helpGroupHeading === 'Downloads:') expect(named(long ?? ''), long).toBe(true);
  }
  const statuses = [...page.matchAll(/^\| (\d+) +\|/gm)].map(([, status]) => Number(status));
  expect(statuses).toEqual(Object.values(EXIT));
});

test('every command and flag says what it is for', async () => {
  const { commands } = await createProgram({ version: '', threadScript: new URL('file:///none') });
  for (const command of commands) {
    expect(command.description(), command.name()).not.toBe('');
    for (const option of command.options) expect(option.description, `${command.name()} ${option.flags}`).not.toBe('');
  }
});
