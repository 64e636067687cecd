import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** Tests with servers, threads or load of their own: they have the machine to themselves, one file after the other. */
const whole = [
  'test/crash/**/*.test.ts',
  'test/loadtest/**/*.test.ts',
  'test/process/**/*.test.ts',
  'test/stress/**/*.test.ts',
];

export default defineConfig({
  resolve: {
    // The load test and the benchmarks import the engine as `#src/...`; tests read the sources, not dist.
    alias: [{ find: /^#src\//, replacement: fileURLToPath(new URL('./src/', import.meta.url)) }],
  },
  test: {
    pool: 'forks', // native add-ons (lmdb, uWebSockets.js) do not survive the thread pool
    testTimeout: 30_000,
    hookTimeout: 60_000,
    reporters: ['default'],
    projects: [
      {
        extends: true,
        test: {
          name: 'parts',
          include: ['test/**/*.test.ts'],
          exclude: whole,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: 'whole', include: whole, maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
