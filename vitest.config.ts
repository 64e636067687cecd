import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Tests of parts: what their helpers leave is removed by test/support/clean-up.ts, and nothing else outlives its file, so that they share two
 * processes in which the sources are loaded once. Most of what such a file costs is loading them. Not those that move the clock of the
 * whole process: what another file has left would move with it.
 */
const shared = [
  'auditor',
  'clearing',
  'control',
  'domain',
  'ingress',
  'iso8583',
  'journal',
  'recon',
  'shard',
  'table',
  'vault',
].map((room) => `test/${room}/**/!(key-rotation).test.ts`);

/**
 * Tests that flood a server, look at the whole disk, stress two processors, or count what compiled code allocates (which is compiled
 * beside it): they have the machine to themselves, one file after the other.
 */
const alone = [
  'test/**/*allocation.test.ts',
  'test/clearing/large-file.test.ts',
  'test/domain/rules/rule-set.test.ts',
  'test/loadtest/chip.test.ts',
  'test/loadtest/command.test.ts',
  'test/loadtest/profile.test.ts',
  'test/loadtest/soak.test.ts',
  'test/loadtest/threads.test.ts',
  'test/process/background.test.ts',
  'test/process/disk.test.ts',
  'test/process/hostile.test.ts',
  'test/process/overload.test.ts',
  'test/stress/**/*.test.ts',
];

/** Files that take longest, which a first run cannot know: what begins late with the others ends alone, on one of two processors. */
const longest = [
  'crash/kill',
  'sim/sim',
  'leak/leak',
  'crash/fsync',
  'crash/backup',
  'crash/fingerprint-rotation',
  'crash/power',
  'process/retention',
  'process/clearing-files',
  'process/whole-day-kills',
  'process/stop',
  'process/programs',
  'crash/key-rotation',
  'fuzz/fuzz',
  'sim/command',
  'docs/commands',
].map((name) => fileURLToPath(new URL(`./test/${name}.test.ts`, import.meta.url)));

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rest = await super.sort(files.filter(({ moduleId }) => !longest.includes(moduleId)));
    return [...longest.flatMap((path) => files.filter(({ moduleId }) => moduleId === path)), ...rest];
  }
}

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
    sequence: { sequencer: LongestFirst },
    setupFiles: ['test/support/each-file.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'shared',
          include: shared,
          exclude: alone,
          isolate: false,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        // Three files at a time on two processors: a real server waits now and then, for a flush, a time-out or a thread, and what waits for
        // nothing fills that time. None of them judges speed.
        extends: true,
        test: {
          name: 'parts',
          include: ['test/**/*.test.ts'],
          exclude: [...shared, ...alone],
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: { name: 'alone', include: alone, maxWorkers: 1, sequence: { groupOrder: 2 } },
      },
    ],
  },
});
