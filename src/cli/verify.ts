/**
 * `holdfast verify --data-dir D`: proves that the journal is whole and that the books follow from it. 76 when anything
 * differs. The work is done in a child process (verify-task.ts).
 */

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { type ErrorCode, ExitStatus, HoldfastError } from '../errors.js';
import { workerFile } from '../worker-file.js';
import { newCommand, type Run, setAction } from './command.js';
import type { Terminal } from './terminal.js';
import type { VerifyReport } from './verify-data.js';

export type TaskMessage =
  | { kind: 'progress'; records: number }
  | { kind: 'report'; report: VerifyReport }
  | { kind: 'failure'; code: ErrorCode; message: string; next: string; stack: string };

export function addVerify(program: Command, run: Run): void {
  const command = newCommand(
    program,
    'verify',
    'replay the journal and prove chain, state, holds and ledger; 76 when they differ',
    ['verify', 'verify --data-dir /var/lib/holdfast --json'],
  )
    .option('--data-dir <path>', 'data directory, of a stopped or a running server', './data')
    .option('--json', 'one JSON object, with the head of every shard');
  setAction(command, run, async (options) => {
    const task = fileURLToPath(workerFile(import.meta.url, './verify-task.js'));
    const report = await runTask(task, String(options.dataDir), run.terminal);
    run.terminal.out(options.json === true ? JSON.stringify({ ok: true, ...report }) : verifyLine(report));
    return ExitStatus.ok;
  });
}

export function verifyLine({ records, head, debits, credits }: VerifyReport): string {
  return `verify ok records=${records} head=${head} debits=${debits} credits=${credits}`;
}

/** Runs the task in a process of its own. @throws HoldfastError what the task found, or what killed it */
export async function runTask(task: string, dataDir: string, terminal: Terminal): Promise<VerifyReport> {
  const child = fork(task, [dataDir], { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  let last = 0;
  let outcome: Exclude<TaskMessage, { kind: 'progress' }> | undefined;
  child.on('message', (message: TaskMessage) => {
    if (message.kind === 'progress') {
      last = message.records;
      terminal.progress(`verify: ${last} records`);
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
  throw diagnosis(ended, last, dataDir);
}

function asError({ code, message, next, stack }: Extract<TaskMessage, { kind: 'failure' }>): HoldfastError {
  const error = new HoldfastError(code, message, next);
  error.stack = stack;
  return error;
}

function diagnosis(
  { code, signal }: { code: number | null; signal: NodeJS.Signals | null },
  records: number,
  dataDir: string,
): HoldfastError {
  const where = `after about ${records} records of ${dataDir}`;
  if (signal === 'SIGBUS' || signal === 'SIGSEGV') {
    const what = `reading stopped by ${signal} ${where}: a data file is shorter or more damaged than its own pages say`;
    return new HoldfastError('store_truncated', what, 'keep the directory as it is and restore a backup elsewhere');
  }
  const end = signal === null ? `status ${code}` : signal;
  return new HoldfastError(
    'internal',
    `the verification ended with ${end} ${where}`,
    'check memory limits, then repeat with --debug',
  );
}
