/**
 * `holdfast verify --data-dir D`: proves that the journal is whole and that the books follow from it. 76 when anything
 * differs. The work is done in a child process (verify-task.ts).
 */

import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { ExitStatus } from '../errors.js';
import { workerFile } from '../worker-file.js';
import { newCommand, type Run, setAction } from './command.js';
import { runTask } from './reading-process.js';
import type { VerifyReport } from './verify-data.js';

export function addVerify(program: Command, run: Run): void {
  const command = newCommand(
    program,
    'verify',
    'replay the journal and prove chain, state, holds and ledger; 76 when they differ',
    ['verify', 'verify --data-dir /var/lib/holdfast --json', 'verify --data-dir /var/lib/holdfast --with /mnt/journal'],
  )
    .option('--data-dir <path>', 'data directory, of a stopped or a running server', './data')
    .option('--with <folder>', 'where dropped parts were exported to; may be repeated', collect, [])
    .option('--json', 'one JSON object, with the head of every shard');
  setAction(command, run, async (options) => {
    const task = fileURLToPath(workerFile(import.meta.url, './verify-task.js'));
    const report = await runTask<VerifyReport>(
      'verify',
      task,
      [String(options.dataDir), ...(options.with as string[])],
      run.terminal,
    );
    run.terminal.out(options.json === true ? JSON.stringify({ ok: true, ...report }) : verifyLine(report));
    return ExitStatus.ok;
  });
}

const collect = (one: string, all: string[]): string[] => [...all, one];

/** What was not read, because it was dropped, is said at the end. */
export function verifyLine({ records, dropped, head, debits, credits }: VerifyReport): string {
  const from = dropped === 0 ? '' : ` dropped=${dropped}`;
  return `verify ok records=${records} head=${head} debits=${debits} credits=${credits}${from}`;
}
