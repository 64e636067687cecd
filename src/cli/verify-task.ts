/**
 * The process in which `holdfast verify` reads the data: a damaged, memory-mapped file can kill a process by SIGBUS, and
 * that must be a diagnosis, not the end of the command. Messages to the parent: progress, then a report or a failure.
 */
import { HoldfastError } from '../errors.js';
import type { TaskMessage } from './verify.js';
import { verifyData } from './verify-data.js';

/** Sends and waits until the parent has it. */
function tell(message: TaskMessage): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send!(message, (error: Error | null) => (error === null ? resolve() : reject(error)));
  });
}

process.on('disconnect', () => process.exit());

try {
  let told = 0;
  const report = await verifyData(process.argv[2]!, (records) => {
    const now = performance.now();
    if (now - told < 250) return;
    told = now;
    process.send!({ kind: 'progress', records } satisfies TaskMessage);
  });
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
