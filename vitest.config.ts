import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: {
    // The load test and the benchmarks import the engine as `#src/...`; tests read the sources, not dist.
    alias: [{ find: /^#src\//, replacement: fileURLToPath(new URL('./src/', import.meta.url)) }],
  },
  test: {
    pool: 'forks', // native add-ons (lmdb, uWebSockets.js) do not survive the thread pool
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    reporters: ['default'],
  },
});
