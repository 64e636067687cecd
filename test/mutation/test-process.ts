/** The process that runs the tests, seen from the one that plants the mutants. */
import { type ChildProcess, fork } from 'node:child_process';
import type { Answer, Task } from './runner.js';

/** Half as many random histories as usual: most mutants die in the first, and one that survives has to get through all of them. */
const LONG = 0.5;

/** A process with a vitest in it; one that does not answer in time is ended with all that it started. */
export class TestProcess {
  #child: ChildProcess | undefined;

  constructor(readonly environment: Record<string, string> = {}) {}

  run(task: Task, patienceMs: number): Promise<Answer | 'timeout'> {
    this.#child ??= fork(new URL('runner.ts', import.meta.url), {
      execArgv: ['--import', new URL('../fuzz/loader.mjs', import.meta.url).href],
      env: {
        ...process.env,
        NODE_ENV: 'test',
        VITEST: 'true',
        HOLDFAST_LONG: String(LONG),
        ...this.environment,
      },
      detached: true, // a group of its own, to be ended as one
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const child = this.#child;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        settle(() => resolve('timeout'));
        this.end();
      }, patienceMs);
      const onExit = () => settle(() => reject(new Error('the process that runs the tests went away')));
      const onMessage = (answer: Answer) => settle(() => resolve(answer));
      const settle = (then: () => void) => {
        clearTimeout(timer);
        child.off('exit', onExit).off('message', onMessage);
        then();
      };
      child.on('exit', onExit).on('message', onMessage);
      child.send(task);
    });
  }

  end(): void {
    if (this.#child?.pid !== undefined && this.#child.exitCode === null) process.kill(-this.#child.pid, 'SIGKILL');
    this.#child = undefined;
  }
}
