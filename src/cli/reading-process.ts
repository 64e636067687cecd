/**
 * Commands that read a data directory do it in a process of their own: a damaged, memory-mapped file can kill a process by
 * SIGBUS, and that must be a diagnosis, not the end of the command. Messages of the child: progress and suspicions, then a report or a
 * failure.
 */
import { fork } from 'node:child_process';
import { type ErrorCode, HoldfastError } from '../errors.js';
import type { Terminal } from './terminal.js';

type TaskMessage<R> =
  | { kind: 'progress'; records: number }
  /** What is known to be damaged, told before it is read: reading it may be the end of the child. */
  | { kind: 'suspicion'; text: string }
  | { kind: 'report'; report: R }
  | { kind: 'failure'; code: ErrorCode; message: string; next: string; stack: string };

/** Tells the parent what is damaged, and waits until it knows. */
export type Suspect = (text: string) => Promise<void>;

/** Between two messages about progress. */
const PROGRESS_MS = 250;

/**
 * Runs the file `task` in a process of its own. @param name of the command @param args the data directory, then what the task needs
 * @param unit of its progress
 * @throws HoldfastError what the task found, or what killed it
 */
export async function runTask<R>(
  name: string,
  task: string,
  args: readonly string[],
  terminal: Terminal,
  unit = 'records',
): Promise<R> {
  const child = fork(task, args, { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  let last = 0;
  let suspicion: string | undefined;
  let outcome: Exclude<TaskMessage<R>, { kind: 'progress' | 'suspicion' }> | undefined;
  child.on('message', (message: TaskMessage<R>) => {
    if (message.kind === 'progress') {
      last = message.records;
      terminal.progress(`${name}: ${last} ${unit}`);
    } else if (message.kind === 'suspicion') {
      suspicion = message.text;
    } else {
      outcome = message;
    }
  });
  const ended = await new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  terminal.progress('');
  if (outcome?.kind === 'report') return outcome.report;
  if (outcome?.kind === 'failure') throw asError(outcome);
  throw diagnosis(ended, `after about ${last} ${unit} of ${args[0]}`, suspicion);
}

function asError({ code, message, next, stack }: Extract<TaskMessage<never>, { kind: 'failure' }>): HoldfastError {
  const error = new HoldfastError(code, message, next);
  error.stack = stack;
  return error;
}

function diagnosis(
  { code, signal }: { code: number | null; signal: NodeJS.Signals | null },
  where: string,
  suspicion: string | undefined,
): HoldfastError {
  if (suspicion !== undefined) {
    const what = `${suspicion}; reading it ended with ${signal ?? `status ${code}`} ${where}`;
    return new HoldfastError('store_damaged', what, 'keep the directory as it is and restore a backup elsewhere');
  }
  if (signal === 'SIGBUS' || signal === 'SIGSEGV') {
    const what = `reading stopped by ${signal} ${where}: a data file is shorter or more damaged than its own pages say`;
    return new HoldfastError('store_truncated', what, 'keep the directory as it is and restore a backup elsewhere');
  }
  const end = signal === null ? `status ${code}` : signal;
  return new HoldfastError(
    'internal',
    `the process that reads ended with ${end} ${where}`,
    'check memory limits, then repeat with --debug',
  );
}

/** The child's side: does the work with the arguments of `runTask`, tells how it went, and lets the process end. */
export async function serveTask<R>(
  work: (args: readonly string[], onProgress: (records: number) => void, suspect: Suspect) => Promise<R>,
): Promise<void> {
  process.on('disconnect', () => process.exit());
  // The parent may have gone while this process was still loading: then nobody tells of it any more.
  if (!process.connected) process.exit();
  try {
    let told = 0;
    const report = await work(
      process.argv.slice(2),
      (records) => {
        const now = performance.now();
        if (now - told < PROGRESS_MS) return;
        told = now;
        process.send!({ kind: 'progress', records } satisfies TaskMessage<R>);
      },
      (text) => tell<R>({ kind: 'suspicion', text }),
    );
    await tell({ kind: 'report', report });
  } catch (error) {
    const known = error instanceof HoldfastError;
    const text = error instanceof Error ? error.message : String(error);
    await tell({
      kind: 'failure',
      code: known ? error.code : 'internal',
      message: text,
      next: known ? error.next : 'repeat with --debug and report what it prints',
      stack: error instanceof Error ? (error.stack ?? '') : '',
    });
  }
  process.disconnect();
}

/** Sends and waits until the parent has it. */
function tell<R>(message: TaskMessage<R>): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send!(message, (error: Error | null) => (error === null ? resolve() : reject(error)));
  });
}
