/**
 * `holdfast import <file>`: accounts and cards as NDJSON rows `{"account":{...},"card":{...}}` to the bulk endpoint of a
 * running server. The file is read twice: once to find every malformed line before anything is sent, once to send it.
 */

import { createReadStream, statSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Transform } from 'node:stream';
import type { Command } from 'commander';
import { ExitStatus, HoldfastError } from '../errors.js';
import { maskJson } from '../pan-mask.js';
import { addApiOptions, apiClient, type Json } from './api-client.js';
import { newCommand, type Run, setAction } from './command.js';
import { systemError, type Terminal } from './terminal.js';

/** Faults told one by one; a file of another format would otherwise print one per line. */
const FAULTS_SHOWN = 20;

export function addImport(program: Command, run: Run): void {
  const command = newCommand(
    program,
    'import <file>',
    'create accounts and cards from an NDJSON file through a running server',
    ['import cards.ndjson', 'import cards.ndjson --admin http://10.0.0.5:8580 --token-file admin.token --json'],
  ).option('--json', "the server's answer as one JSON object");
  addApiOptions(command);
  setAction(command, run, async (options, [file]) => {
    const client = apiClient(options, run.terminal);
    const rows = await checkRows(file!);
    const answer = await client.upload(
      '/v1/bulk/accounts',
      'application/x-ndjson',
      fileBody(file!, rows, run.terminal),
    );
    run.terminal.progress('');
    return tell(maskJson(answer) as Json, options.json === true, run.terminal);
  });
}

/** Counts the rows. @throws HoldfastError `bad_input_file` naming the first malformed lines. */
async function checkRows(file: string): Promise<number> {
  let rows = 0;
  let line = 0;
  const faults: string[] = [];
  let faulty = 0;
  try {
    if (!statSync(file).isFile())
      throw new HoldfastError('bad_input_file', `${file} is no file`, 'give an NDJSON file');
    for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
      line++;
      if (text.trim() === '') continue;
      rows++;
      const fault = rowFault(text);
      if (fault !== undefined && ++faulty <= FAULTS_SHOWN) faults.push(`${file}:${line}: ${fault}`);
    }
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    throw systemError('bad_input_file', file, error, 'give a readable NDJSON file');
  }
  if (faulty > 0) {
    if (faulty > FAULTS_SHOWN) faults.push(`${file}: ${faulty} malformed lines in all`);
    throw new HoldfastError('bad_input_file', faults.join('\n'), 'nothing was sent; correct the lines and repeat');
  }
  if (rows === 0) throw new HoldfastError('bad_input_file', `${file} has no rows`, 'one JSON object per line');
  return rows;
}

/** What is wrong with a row, without its content: that may be a card number. */
export function rowFault(text: string): string | undefined {
  let row: unknown;
  try {
    row = JSON.parse(text);
  } catch {
    return 'not JSON';
  }
  if (!isObject(row)) return 'not an object';
  if (!isObject(row.account)) return 'no "account" object';
  if (row.card !== undefined && !isObject(row.card)) return '"card" is not an object';
  return undefined;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The bytes of the file, with progress on a terminal. */
function fileBody(file: string, rows: number, terminal: Terminal): Transform {
  let sent = 0;
  let shown = 0;
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) sent++;
      if (sent - shown >= 5000) {
        shown = sent;
        terminal.progress(`import: ${sent} of ${rows} rows sent`);
      }
      done(null, chunk);
    },
  });
  createReadStream(file)
    .on('error', (error) => meter.destroy(systemError('bad_input_file', file, error, 'give a readable NDJSON file')))
    .pipe(meter);
  return meter;
}

function count(answer: Json, name: string): number {
  return typeof answer[name] === 'number' ? answer[name] : 0;
}

function tell(answer: Json, json: boolean, terminal: Terminal): ExitStatus {
  const rejects = Array.isArray(answer.rejects) ? (answer.rejects as Json[]) : [];
  const rejected = count(answer, 'rejected');
  if (json) {
    terminal.out(JSON.stringify(answer));
  } else {
    terminal.out(`imported accounts=${count(answer, 'accounts')} cards=${count(answer, 'cards')} rejected=${rejected}`);
    for (const { row, code, detail } of rejects.slice(0, FAULTS_SHOWN)) {
      terminal.err(`row ${String(row)}: ${String(code)}${detail === undefined ? '' : `: ${String(detail)}`}`);
    }
    if (rejected > FAULTS_SHOWN)
      terminal.err(`... and ${rejected - FAULTS_SHOWN} more; --json shows what the server reports`);
  }
  return rejected > 0 ? ExitStatus.badInput : ExitStatus.ok;
}
