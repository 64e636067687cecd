/** `holdfast recon`: a reconciliation by a running server, from its start to its report. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { ExitStatus, HoldfastError } from '../errors.js';
import { type ApiClient, ApiRefused, addApiOptions, apiClient, type Json } from './api-client.js';
import { newCommand, type Run, setAction } from './command.js';
import { paint, type Terminal } from './terminal.js';

const PATH = '/v1/recon/runs';
const POLL_MS = 250;

export function addRecon(program: Command, run: Run): void {
  const command = newCommand(
    program,
    'recon',
    'reconcile authorizations, clearing files, ledger and settlements as of a date, through a running server',
    ['recon --date 2026-11-26', 'recon --date 2026-11-26 --csv', 'recon --date 2026-11-26 --fail-on-breaks'],
  )
    .requiredOption('--date <date>', 'ages count from it, and settlements before it must be paid')
    .option('--json', 'the whole report as one JSON object')
    .option('--csv', 'the breaks as CSV')
    .option('--fail-on-breaks', 'end with 76 unless the books balance');
  addApiOptions(command);
  setAction(command, run, async (options) => {
    if (options.json === true && options.csv === true)
      throw new HoldfastError('usage', '--json and --csv exclude each other', 'give one of them');
    const client = apiClient(options, run.terminal);
    const done = await ended(client, await begun(client, String(options.date), run.terminal), run.terminal);
    const report = done.report as Json | null;
    if (report === null)
      throw new HoldfastError('api_failed', `the reconciliation ${String(done.id)} failed`, String(done.failure));
    if (options.csv === true) run.terminal.out((await client.getText(`${PATH}/${String(done.id)}.csv`)).trimEnd());
    else if (options.json === true) run.terminal.out(JSON.stringify(report));
    else tell(done, report, run.terminal);
    const { balance } = report.books as { balance: boolean };
    return options.failOnBreaks === true && !balance ? ExitStatus.invariant : ExitStatus.ok;
  });
}

/** Begins a run, behind another one that is running: after a start the server repeats the newest by itself. */
async function begun(client: ApiClient, date: string, terminal: Terminal): Promise<Json> {
  for (;;) {
    try {
      return await client.post(PATH, { date });
    } catch (error) {
      if (!(error instanceof ApiRefused) || error.problem !== 'recon_running') throw error;
    }
    terminal.progress('recon: waits for another reconciliation');
    await sleep(POLL_MS);
  }
}

/** The run at its end; how far it is meanwhile on stderr. */
async function ended(client: ApiClient, first: Json, terminal: Terminal): Promise<Json> {
  let run = first;
  while (run.status === 'running') {
    const { percent, read, records } = run.progress as Json;
    terminal.progress(`recon: ${String(percent)} %, ${String(read)} of ${String(records)} records`);
    await sleep(POLL_MS);
    run = await client.get(`${PATH}/${String(run.id)}`);
  }
  terminal.progress('');
  return run;
}

function tell({ id, report_sha256: sha256 }: Json, report: Json, terminal: Terminal): void {
  const { balance, currencies } = report.books as { balance: boolean; currencies: Json[] };
  const breaks = report.breaks as Json[];
  const { breaks_left_out: leftOut } = report;
  const found =
    report.records === 0 && breaks.length === 0
      ? 'nothing was read'
      : `${breaks.length} ${breaks.length === 1 ? 'break' : 'breaks'}`;
  const word = balance ? 'books balance' : found;
  terminal.out(`${paint(terminal, balance ? 'green' : 'red', word)}: ${String(id)}, report sha256 ${String(sha256)}`);
  terminal.out(`date=${String(report.date)} records=${String(report.records)}`);
  for (const { currency, debits, credits, difference } of currencies)
    terminal.out(`${String(currency)} debits=${debits} credits=${credits} difference=${difference}`);
  if (leftOut !== 0) terminal.out(`${String(leftOut)} more breaks are counted and not listed`);
  for (const { type, age, count } of report.counts as Json[]) terminal.out(`${type} ${age} days: ${count}`);
}
