import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** Tests with real servers, which mostly wait for them and for the disk, and judge no speed: two files at a time. */
const servers = ['test/crash/**/*.test.ts', 'test/leak/**/*.test.ts', 'test/process/**/*.test.ts'];

/** Tests with load of their own, or of how long something takes: they have the machine to themselves, one file after the other. */
const alone = [
  'test/loadtest/**/*.test.ts',
  'test/process/background.test.ts',
  'test/process/disk.test.ts',
  'test/process/hostile.test.ts',
  'test/process/overload.test.ts',
  'test/process/peers.test.ts',
  'test/process/warm-up.test.ts',
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
          exclude: [...servers, ...alone],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: 'servers', include: servers, exclude: alone, maxWorkers: 2, sequence: { groupOrder: 1 } },
      },
      {
        extends: true,
        test: { name: 'alone', include: alone, maxWorkers: 1, sequence: { groupOrder: 2 } },
      },
    ],
  },
});
