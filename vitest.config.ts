import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/helpers/nothing-left.ts'],
    // Every core: the default leaves one to a watcher that nobody runs here.
    maxWorkers: '100%',
    // A rejection that nobody handles fails the run, whatever the tests say.
    dangerouslyIgnoreUnhandledErrors: false,
    // Files of whole services and thousands of seeded runs share two cores in CI.
    testTimeout: 120_000,
    hookTimeout: 60_000,
  },
});
