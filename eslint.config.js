import prettier from 'eslint-config-prettier';
import { importX } from 'eslint-plugin-import-x';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** What each folder may import of ours (docs/design.md, "Layout"). A folder that is not named here imports nothing. */
const mayImport = {
  core: [],
  http: ['core'],
  adapters: ['core'],
  local: ['core', 'http', 'adapters/sqlite', 'adapters/files', 'adapters/system-clock.ts'],
  examples: ['http'],
  bench: ['core', 'http', 'adapters', 'local'],
};

const zones = Object.entries(mayImport).map(([folder, allowed]) => ({
  target: `./${folder}`,
  from: './',
  except: [folder, 'node_modules', ...allowed].map((path) => `./${path}`),
  message: `${folder} may import ${['itself', ...allowed].join(', ')} only (docs/design.md, "Layout").`,
}));

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
    plugins: { 'import-x': importX },
    rules: {
      'import-x/no-restricted-paths': ['error', { zones }],
      'import-x/no-cycle': 'error',
      'import-x/no-default-export': 'error',
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
  {
    files: ['core/**/*.ts'],
    rules: {
      'no-restricted-globals': ['error', ...ambient],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'Use the Clock.' },
        { object: 'Math', property: 'random', message: 'Use the random source given.' },
      ],
      'no-restricted-imports': [
        'error',
        { patterns: ['@aws-sdk/*', 'hono', 'hono/*', 'zod', 'node:process', 'node:timers*'] },
      ],
    },
  },
  {
    files: ['*.config.{js,ts}'],
    rules: { 'import-x/no-default-export': 'off' },
  },
  { files: ['**/*.js'], extends: [tseslint.configs.disableTypeChecked] },
  prettier,
);
