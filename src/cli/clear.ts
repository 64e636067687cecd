/**
 * `holdfast clear <file>`: feeds a clearing file to a running server. The server answers when it has the file; with `--wait` the
 * command stays until the file is posted or refused. Sent again, a file joins the one under way or is told to be posted.
 */
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { Finding } from '../clearing/findings.js';
import { ExitStatus } from '../errors.js';
import { type ApiClient, addApiOptions, apiClient, type Json } from './api-client.js';
import { newCommand, type Run, setAction } from './command.js';
import { addFileOptions, type FileOptions, fileChunks, findingText } from './ipm.js';
import { paint, type Terminal } from './terminal.js';

const PATH = '/v1/clearing-files';
const POLL_MS = 250;
/** Findings told one by one. */
const FINDINGS_SHOWN = 20;

export function addClear(program: Command, run: Run): void {
  const command = addFileOptions(
    newCommand(program, 'clear <file>', 'post a clearing file through a running server', [
      'clear day.ipm --wait',
      'clear day.ctf --format ctf --wait --json',
    ]),
  )
    .option('--wait', 'until the file is posted; status 65 when it is refused')
    .option('--json', "the server's answer as one JSON object");
  addApiOptions(command);
  setAction(command, run, async (options, [path]) => {
    const client = apiClient(options, run.terminal);
    const { format, encoding, blocked } = options as FileOptions;
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries({ format, encoding, blocked })) if (value) query.set(name, value);
    const body = Readable.from(fileChunks(path!));
    let file = await client.upload(`${PATH}?${query}`, 'application/octet-stream', body);
    if (options.wait === true) file = await ended(client, file, run.terminal);
    if (options.json === true) run.terminal.out(JSON.stringify(file));
    else tell(file, run.terminal);
    return file.status === 'quarantined' ? ExitStatus.badInput : ExitStatus.ok;
  });
}

/** The file at its end; how far it is meanwhile on stderr. */
async function ended(client: ApiClient, first: Json, terminal: Terminal): Promise<Json> {
  let file = first;
  while (file.status === 'processing') {
    terminal.progress(progressText(file.progress as Json | null));
    await sleep(POLL_MS);
    file = await client.get(`${PATH}/${String(file.id)}`);
  }
  terminal.progress('');
  return file;
}

function progressText(progress: Json | null): string {
  const { phase, percent, done, total, per_second: pace, eta_seconds: eta, reason } = progress ?? {};
  const unit = phase === 'posting' ? 'records' : 'bytes';
  const why = typeof reason === 'string' ? `, waiting: ${reason}` : '';
  const left = typeof eta === 'number' ? `, ${eta} s left` : '';
  return `clear: ${String(phase)} ${String(percent)} %, ${String(done)} of ${String(total)} ${unit}, ${String(pace)}/s${left}${why}`;
}

function tell(file: Json, terminal: Terminal): void {
  const { status, records, posted, duplicates, rejected, force_posted: forced, suspense } = file;
  const colour = status === 'quarantined' ? 'red' : status === 'processing' ? 'yellow' : 'green';
  terminal.out(
    `${paint(terminal, colour, String(status))}: ${String(file.id)}, file id ${String(file.file_id ?? '(not read yet)')}`,
  );
  if (status === 'posted' || status === 'duplicate') {
    terminal.out(`records=${records} posted=${posted} duplicates=${duplicates} rejected=${rejected}`);
    terminal.out(`force_posted=${forced} suspense=${suspense}`);
    for (const name of ['matched_by', 'not_posted'] as const) {
      const counts = Object.entries(file[name] as Record<string, number>).filter(([, count]) => count > 0);
      if (counts.length > 0) terminal.out(`${name}: ${counts.map(([key, count]) => `${key}=${count}`).join(' ')}`);
    }
  }
  if (typeof file.duplicate_of === 'string') terminal.out(`the same content as ${file.duplicate_of}`);
  if (typeof file.conflicts_with === 'string') terminal.out(`other content than ${file.conflicts_with}`);
  const findings = file.findings as Finding[];
  for (const finding of findings.slice(0, FINDINGS_SHOWN)) terminal.err(findingText(finding));
  const hidden = Number(file.errors) + Number(file.warnings) - Math.min(findings.length, FINDINGS_SHOWN);
  if (hidden > 0) terminal.err(`and ${hidden} more; --json shows the first 1 000`);
}
