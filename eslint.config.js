import prettier from 'eslint-config-prettier';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** What each folder may import of ours, besides itself (docs/design.md, "Layout"). */
const mayImport = {
  core: [],
  http: ['core/'],
  adapters: ['core/'],
  lambdas: ['core/', 'http/', 'adapters/aws/', 'adapters/system-clock.ts'],
  infra: ['core/model/', 'adapters/aws/settings.ts'],
  local: ['core/', 'http/', 'web/page.ts', 'adapters/sqlite/', 'adapters/files/', 'adapters/system-clock.ts'],
  cli: ['core/', 'http/', 'local/', 'web/', 'adapters/files/'],
  web: ['core/model/', 'http/documents.ts', 'http/problem.ts', 'http/problem-error.ts'],
  examples: ['http/', 'cli/connection.ts'],
  bench: ['core/', 'http/', 'adapters/', 'local/', 'lambdas/', 'test/helpers/', 'test/infra/'],
};
const folders = [...Object.keys(mayImport), 'test'];

/** Modules of others that the core does without: it knows no cloud, no HTTP framework and no environment. */
const FOREIGN_TO_CORE = [
  '@aws-sdk/*',
  '@aws-lambda-powertools/*',
  'hono',
  'hono/*',
  'zod',
  'node:process',
  'node:timers',
  'node:timers/*',
];

/**
 * One folder's rule: an import that climbs into a folder of ours must be of what it may import.
 *
 * @param {[folder: string, allowed: string[]]} zone
 * @returns {import('eslint').Linter.Config}
 */
function importRule([folder, allowed]) {
  const others = folders.filter((other) => other !== folder).map((other) => `${other}/`);
  const ours = {
    regex: `^(\\.\\.?/)+(?!${allowed.map((path) => path.replaceAll('.', '\\.')).join('|') || '$'})(${others.join('|')})`,
    message: `${folder} may import ${['itself', ...allowed].join(', ')} only (docs/design.md, "Layout").`,
  };
  const foreign = folder === 'core' ? [{ group: FOREIGN_TO_CORE, message: 'The core knows no host.' }] : [];
  return {
    files: [`${folder}/**/*.{ts,tsx}`],
    rules: { 'no-restricted-imports': ['error', { patterns: [ours, ...foreign] }] },
  };
}

/** The core takes time, chance and the environment from its caller, so that tests can drive them. */
const ambient = ['setTimeout', 'setInterval', 'setImmediate', 'process', 'fetch'].map((name) => ({
  name,
  message: 'The core gets its clock and its settings from the caller.',
}));

export default defineConfig(
  globalIgnores(['cdk.out', 'dist', 'coverage', '.rules']),
  tseslint.configs.strictTypeChecked,
  tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      'no-restricted-syntax': ['error', { selector: 'ExportDefaultDeclaration', message: 'Name what is exported.' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/prefer-promise-reject-errors': ['error', { allowThrowingUnknown: true }],
      '@typescript-eslint/only-throw-error': ['error', { allowThrowingUnknown: true }],
    },
  },
  ...Object.entries(mayImport).map(importRule),
  {
    files: ['core/**/*.ts'],
    rules: {
      'no-restricted-globals': ['error', ...ambient],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'Use the Clock.' },
        { object: 'Math', property: 'random', message: 'Use the random source given.' },
      ],
    },
  },
  {
    files: ['*.config.{js,ts}'],
    rules: { 'no-restricted-syntax': 'off' },
  },
  { files: ['**/*.js'], extends: [tseslint.configs.disableTypeChecked] },
  prettier,
);
