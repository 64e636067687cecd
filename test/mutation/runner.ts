/**
 * The process that runs the tests, with one file of the sources replaced. It lives for many mutants, so that everything but the
 * replaced file is compiled once; `main.ts` ends it when a mutant runs for ever. All tests of a run share one process and its modules:
 * they start at the first, in the given order, and stop at the first failure.
 */
import { fileURLToPath } from 'node:url';
import { createVitest, type TestSpecification } from 'vitest/node';

export interface Task {
  /** Text by path from the root of the repository. */
  sources: Record<string, string>;
  tests: string[];
  /** True to start each test file with modules of its own, to see what it reaches. */
  isolate: boolean;
}

export interface Answer {
  /** Milliseconds by test file, of those that ran. */
  ran: Record<string, number>;
  failed: string[];
  errors: string[];
}

const root = fileURLToPath(new URL('../../', import.meta.url));
const sources = new Map<string, string>();

/** What a test allocates is told of a process in which no other code has run. */
const MEASURES_NOTHING = /^(?!.*allocates nothing)/;

class AsGiven {
  sort(specifications: TestSpecification[]) {
    return specifications;
  }
  shard(specifications: TestSpecification[]) {
    return specifications;
  }
}

function start(isolate: boolean) {
  return createVitest(
    'test',
    {
      config: false,
      root,
      watch: false,
      include: ['test/**/*.test.ts'],
      pool: 'forks',
      isolate,
      maxWorkers: 1,
      fileParallelism: false,
      bail: isolate ? 0 : 1,
      retry: 0,
      testNamePattern: MEASURES_NOTHING,
      testTimeout: 120_000,
      hookTimeout: 120_000,
      silent: true,
      reporters: [{}],
      setupFiles: isolate ? [fileURLToPath(new URL('reached.ts', import.meta.url))] : [],
      sequence: { sequencer: AsGiven },
    },
    {
      resolve: { alias: [{ find: /^#src\//, replacement: `${root}src/` }] },
      plugins: [{ name: 'mutant', enforce: 'pre', load: (id) => sources.get(id) ?? null }],
    },
  );
}

let vitest: Awaited<ReturnType<typeof start>> | undefined;

async function run(task: Task): Promise<Answer> {
  vitest ??= await start(task.isolate);
  const replaced = Object.entries(task.sources).map(([file, text]) => [root + file, text] as const);
  const changed = [...sources.keys(), ...replaced.map(([path]) => path)];
  sources.clear();
  for (const [path, text] of replaced) sources.set(path, text);
  for (const path of changed) vitest.invalidateFile(path);
  // What is known of earlier runs is told with every run.
  vitest.state.errorsSet.clear();
  vitest.state.filesMap.clear();

  const project = vitest.getRootProject();
  const { testModules, unhandledErrors } = await vitest.runTestSpecifications(
    task.tests.map((file) => project.createSpecification(root + file)),
  );
  const answer: Answer = { ran: {}, failed: [], errors: unhandledErrors.map(String) };
  for (const module of testModules) {
    const file = module.moduleId.slice(root.length);
    const { collectDuration, duration } = module.diagnostic();
    answer.ran[file] = collectDuration + duration;
    if (module.ok()) continue;
    answer.failed.push(file);
    for (const one of module.children.allTests('failed'))
      answer.errors.push(`${one.fullName}: ${one.result().errors?.[0]?.message.split('\n')[0]}`);
    answer.errors.push(...module.errors().map(({ message }) => message));
  }
  return answer;
}

process.on('message', (task: Task) => {
  run(task).then(
    (answer) => process.send!(answer),
    (error) => {
      process.send!({ ran: {}, failed: [], errors: [`runner: ${error}`] } satisfies Answer);
    },
  );
});
