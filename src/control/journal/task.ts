/**
 * Runs a task over the journal in a process of its own (cli/journal-task.ts): it may take minutes, it reads mapped files that may be
 * damaged, and it can be killed at any moment without harm, which a thread that owns an environment cannot.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { type ErrorCode, HoldfastError } from '../../errors.js';

/** What a task of a process of its own tells (cli/reading-process.ts). */
type TaskMessage<R> =
  | { kind: 'progress'; records: number }
  | { kind: 'report'; report: R }
  | { kind: 'failure'; code: ErrorCode; message: string; next: string };

export class JournalTask<R> {
  /** Records so far. */
  records = 0;
  readonly done: Promise<R>;
  readonly #child: ChildProcess;

  /** @param file the task @param request what it is to do, as JSON */
  constructor(file: string, request: unknown) {
    this.#child = fork(file, [JSON.stringify(request)], {
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.done = this.#run();
    // Awaited by whoever began it; a stop may come first.
    this.done.catch(() => undefined);
  }

  /** Ends the process. What it has written counts for nothing. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async #run(): Promise<R> {
    let outcome: Exclude<TaskMessage<R>, { kind: 'progress' }> | undefined;
    this.#child.on('message', (message: TaskMessage<R>) => {
      if (message.kind === 'progress') this.records = message.records;
      else outcome = message;
    });
    const ended = await new Promise<string>((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (code, signal) => resolve(signal ?? `status ${code}`));
    });
    if (outcome?.kind === 'report') return outcome.report;
    if (outcome?.kind === 'failure') throw new HoldfastError(outcome.code, outcome.message, outcome.next);
    throw new HoldfastError(
      'internal',
      `the process that reads the journal ended with ${ended}`,
      'run `holdfast verify`',
    );
  }
}
