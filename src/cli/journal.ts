/** `holdfast journal show|export|drop`: the folders of a running server's journal, and what becomes of the old ones. */
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { ExitStatus, HoldfastError } from '../errors.js';
import { RETENTION_DAYS_DEFAULT, RETENTION_DAYS_MIN } from '../limits.js';
import { type ApiClient, addApiOptions, apiClient, type Json } from './api-client.js';
import { newCommand, type Run, setAction, wholeNumber } from './command.js';
import type { Terminal } from './terminal.js';

const POLL_MS = 250;

export function addJournal(program: Command, run: Run): void {
  const journal = newCommand(program, 'journal', "folders of a running server's journal: show, export, drop", [
    'journal show',
    'journal export --to /mnt/journal',
    'journal drop --older-than-days 400',
  ]);
  addShow(journal, run);
  addExport(journal, run);
  addDrop(journal, run);
}

function addShow(journal: Command, run: Run): void {
  const show = newCommand(journal, 'show', 'every folder, and where the journal begins (needs the scope admin)', [
    'journal show',
    'journal show --json',
  ]).option('--json', 'the answer of the API');
  addApiOptions(show);
  setAction(show, run, async (options) => {
    const answer = await apiClient(options, run.terminal).get('/v1/journal');
    if (options.json === true) run.terminal.out(JSON.stringify(answer));
    else for (const line of shownLines(answer)) run.terminal.out(line);
    return undefined;
  });
}

function addExport(journal: Command, run: Run): void {
  const command = newCommand(
    journal,
    'export',
    'copy folders that grow no more, and check the copies (needs the scope admin)',
    ['journal export --to /mnt/journal', 'journal export --to /mnt/journal --folder lane-0-000001'],
  )
    .requiredOption('--to <folder>', 'folder on the machine of the server')
    .option('--folder <name>', 'only this one; without it all that were not exported yet')
    .option('--json', 'the job as the API has it');
  addApiOptions(command);
  setAction(command, run, async (options) => {
    const folder = options.folder === undefined ? {} : { folder: String(options.folder) };
    const body = { to: resolve(String(options.to)), ...folder };
    return finish(apiClient(options, run.terminal), '/v1/journal/exports', body, options.json === true, run.terminal);
  });
}

function addDrop(journal: Command, run: Run): void {
  const command = newCommand(
    journal,
    'drop',
    'drop what is old, exported and not needed, behind an anchor (needs the scope admin)',
    ['journal drop', 'journal drop --older-than-days 200 --json'],
  )
    .option(
      '--older-than-days <n>',
      `days of the journal's own time that stay, at least ${RETENTION_DAYS_MIN} (${RETENTION_DAYS_DEFAULT})`,
      wholeNumber(RETENTION_DAYS_MIN, 36_500),
    )
    .option('--unexported', 'also what was never exported: it is lost for good')
    .option('--json', 'the job as the API has it');
  addApiOptions(command);
  setAction(command, run, async (options) => {
    const days = (options.olderThanDays as number | undefined) ?? RETENTION_DAYS_DEFAULT;
    const body = { older_than_days: days, unexported: options.unexported === true };
    return finish(apiClient(options, run.terminal), '/v1/journal/drops', body, options.json === true, run.terminal);
  });
}

/** Begins the job and waits for its end. */
async function finish(
  client: ApiClient,
  path: string,
  body: Json,
  asJson: boolean,
  terminal: Terminal,
): Promise<ExitStatus> {
  let job = await client.post(path, body);
  while (job.status === 'running') {
    terminal.progress(`${job.kind}: ${job.records} records`);
    await sleep(POLL_MS);
    job = await client.get(`/v1/journal/jobs/${job.id}`);
  }
  terminal.progress('');
  if (job.status === 'failed')
    throw new HoldfastError('api_failed', `${job.kind}: ${job.failure}`, "the server's log has the rest");
  if (asJson) terminal.out(JSON.stringify(job));
  else for (const line of jobLines(job)) terminal.out(line);
  return ExitStatus.ok;
}

function jobLines({ kind, folders, kept }: Json): string[] {
  const names = folders as string[];
  const stay = kept as { folder: string; why: string }[];
  return [
    `journal ${kind} folders=${names.length}${names.map((name) => ` ${name}`).join('')}`,
    ...stay.map(({ folder, why }) => `${folder} stays: ${why}`),
  ];
}

interface Folder {
  readonly name: string;
  readonly closed: boolean;
  readonly newest_at: string | null;
  readonly exported_to: string | null;
}

function shownLines({ folders, anchor }: Json): string[] {
  const lines = (folders as Folder[]).map(
    ({ name, closed, newest_at, exported_to }) =>
      `${name} ${closed ? 'closed' : 'grows'} newest=${newest_at ?? 'none'} exported=${exported_to ?? 'no'}`,
  );
  if (anchor === null) return [...lines, 'the journal begins with its first record'];
  const { number, folders: dropped } = anchor as { number: number; folders: unknown[] };
  return [...lines, `the journal begins behind anchor ${number}: ${dropped.length} folders were dropped`];
}
