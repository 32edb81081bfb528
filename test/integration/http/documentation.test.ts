import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { PROBLEMS } from '../../../http/problem.ts';
import { ROUTES } from '../../../http/routes.ts';
import { optionsSchema } from '../../../http/schemas.ts';

const page = await readFile(new URL('../../../docs/api.md', import.meta.url), 'utf8');

describe('docs/api.md', () => {
  it.each(Object.entries(PROBLEMS))('explains the problem %s', (type, { status }) => {
    expect(page).toMatch(new RegExp(`^\\| \`${type}\` +\\| ${status} `, 'm'));
  });

  it.each(Object.keys(optionsSchema.shape))('explains the option %s', (option) => {
    expect(page).toMatch(new RegExp(`^\\| \`${option}[.\`]`, 'm'));
  });

  it.each(Object.entries(ROUTES))('names %s', (path, methods) => {
    for (const method of methods.filter((method) => method !== 'HEAD')) {
      expect(page).toMatch(new RegExp(`^\\| \`${method} ${path.replace(':id', '{id}')}[?\`]`, 'm'));
    }
  });
});
