/** `holdfast accrue`: the daily accrual of a running server, until it is done. */
import type { Command } from 'commander';
import { addApiOptions, apiClient } from './api-client.js';
import { newCommand, type Run, setAction } from './command.js';

export function addAccrue(program: Command, run: Run): void {
  const accrue = newCommand(
    program,
    'accrue',
    'interest of a day for every account, and the statements that are due (needs the scope admin; may be repeated)',
    ['accrue --date 2026-11-26'],
  )
    .requiredOption('--date <date>', 'the day, by UTC; not after today')
    .option('--json', 'the sums as JSON');
  addApiOptions(accrue);
  setAction(accrue, run, async (options) => {
    const client = apiClient(options, run.terminal);
    const sums = { accounts: 0, entries: 0, statements: 0 };
    for (let done = false; !done; ) {
      const answer = await client.post('/v1/jobs/accrual', { date: options.date });
      for (const name of ['accounts', 'entries', 'statements'] as const) sums[name] += Number(answer[name]);
      done = answer.done === true;
    }
    const { accounts, entries, statements } = sums;
    run.terminal.out(
      options.json === true
        ? JSON.stringify({ date: options.date, ...sums })
        : `accrued date=${String(options.date)} accounts=${accounts} entries=${entries} statements=${statements}`,
    );
    return undefined;
  });
}
