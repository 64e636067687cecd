/** Folders of a benchmark that runs in this process, removed whatever ends it: its end, an error, SIGINT or SIGTERM. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/**
 * Runs `work` with a new folder below `parent` and removes it afterwards. A signal ends the process as it would without us,
 * when the event loop comes to it: work that computes for seconds lets it turn between its parts.
 * @param interrupted called first when a signal ends the process: ends what else was started
 */
export async function inTemporaryFolder<T>(
  parent: string,
  work: (folder: string) => Promise<T>,
  interrupted: () => void = () => undefined,
): Promise<T> {
  let folder = '';
  const remove = (): void => {
    if (folder !== '') rmSync(folder, { recursive: true, force: true });
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    interrupted();
    remove();
    forget();
    process.kill(process.pid, signal);
  };
  const forget = (): void => {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  };
  // Before there is a folder: whoever sees it may send a signal.
  for (const signal of SIGNALS) process.on(signal, onSignal);
  try {
    folder = mkdtempSync(join(parent, 'holdfast-bench-'));
    return await work(folder);
  } finally {
    forget();
    remove();
  }
}
