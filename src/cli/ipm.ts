/**
 * `holdfast ipm describe|check`: clearing files, for people. Nothing is posted and no server is needed; everything printed is
 * masked.
 */
import { createReadStream, statSync } from 'node:fs';
import type { Command } from 'commander';
import { describedText } from '../clearing/describe.js';
import type { Finding } from '../clearing/findings.js';
import { type FileMode, fileModes } from '../clearing/ipm/rules.js';
import {
  type ClearingFormat,
  type ClearingReport,
  chooseOptions,
  clearingFormats,
  detectClearing,
  openClearing,
  type ReadOptions,
  readClearing,
} from '../clearing/reader.js';
import { reportJson } from '../clearing/report-json.js';
import { ExitStatus, HoldfastError } from '../errors.js';
import { newCommand, type Run, setAction, wholeNumber } from './command.js';
import { oneOf } from './iso-message.js';
import { paint, systemError, type Terminal } from './terminal.js';

/** `ebcdic` is code page 500. */
const encodingChoices = ['auto', 'ascii', 'ebcdic', 'cp500', 'cp037'] as const;
const blockedChoices = ['auto', 'true', 'false'] as const;
const formatChoices = ['auto', ...clearingFormats] as const;

export interface FileOptions {
  format?: ClearingFormat | 'auto';
  encoding?: (typeof encodingChoices)[number];
  blocked?: (typeof blockedChoices)[number];
  json?: boolean;
}

export function addIpm(program: Command, run: Run): void {
  const ipm = newCommand(program, 'ipm', 'describe and check clearing files', [
    'ipm describe day.ipm --record 2',
    'ipm check day.ipm --mode P',
  ]);
  addDescribe(ipm, run);
  addCheck(ipm, run);
}

export function addFileOptions(command: Command): Command {
  return command
    .option('--format <name>', `${formatChoices.join(', ')} (auto)`, oneOf(formatChoices))
    .option('--encoding <name>', `${encodingChoices.join(', ')}; ebcdic is cp500 (auto)`, oneOf(encodingChoices))
    .option('--blocked <yes>', `in 1014-byte blocks: ${blockedChoices.join(', ')} (auto)`, oneOf(blockedChoices));
}

function addDescribe(ipm: Command, run: Run): void {
  const command = addFileOptions(
    newCommand(ipm, 'describe <file>', 'explain the records of a clearing file field by field', [
      'ipm describe day.ipm --record 2',
      'ipm describe day.ipm --encoding cp037 --json',
    ]),
  )
    .option('--record <n>', 'only this record', wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option('--json', 'one JSON object per record');
  setAction(command, run, async (options, [file]) => {
    await describeFile(file!, options as FileOptions & { record?: number }, run.terminal);
    return undefined;
  });
}

/** Prints the records that can be read, then what is wrong. @throws HoldfastError `bad_input_file` when something is, `usage` without such a record */
async function describeFile(
  file: string,
  options: FileOptions & { record?: number },
  terminal: Terminal,
): Promise<void> {
  const reader = openClearing(await readOptions(file, options, 'any'));
  const { record: wanted } = options;
  for await (const chunk of fileChunks(file)) {
    reader.push(chunk);
    while (reader.next()) {
      const { recordNumber } = reader.record;
      if (!reader.readable || (wanted !== undefined && wanted !== recordNumber)) continue;
      const described = reader.describe();
      const text = options.json === true ? JSON.stringify(described) : describedText(described);
      await terminal.write(`${text}\n`);
    }
  }
  const report = reader.finish();
  for (const finding of report.findings) terminal.err(findingText(finding));
  refuse(file, report);
  if (wanted !== undefined && wanted > report.records)
    throw new HoldfastError(
      'usage',
      `--record ${wanted}: ${file} has ${report.records} records`,
      `name one of 1 to ${report.records}`,
    );
}

function addCheck(ipm: Command, run: Run): void {
  const command = addFileOptions(
    newCommand(ipm, 'check <file>', 'hold a clearing file against its rules; status 0 when it may be posted', [
      'ipm check day.ipm --mode P',
      'ipm check day.ctf --format ctf --json',
    ]),
  )
    .option('--mode <mode>', `what the header must say: ${fileModes.join(', ')} (any)`, oneOf(fileModes))
    .option('--json', 'the report as one JSON object');
  setAction(command, run, async (options, [file]) => {
    const mode = (options.mode as FileMode | undefined) ?? 'any';
    const read = await readOptions(file!, options as FileOptions, mode);
    const report = await readClearing(fileChunks(file!), read);
    if (options.json === true) {
      run.terminal.out(JSON.stringify(reportJson(report)));
      return report.accepted ? ExitStatus.ok : ExitStatus.badInput;
    }
    tell(report, run.terminal);
    refuse(file!, report);
    return undefined;
  });
}

/** What the options say, and the file where they say nothing. */
async function readOptions(file: string, options: FileOptions, mode: FileMode): Promise<ReadOptions> {
  const { format = 'auto', encoding = 'auto', blocked = 'auto' } = options;
  const wanted = { format, encoding, blocked: blocked === 'auto' ? blocked : blocked === 'true', mode };
  const chosen = chooseOptions(wanted, await detectClearing(fileChunks(file)));
  if (chosen.format === 'ctf' && (chosen.encoding !== 'ascii' || chosen.blocked)) {
    throw new HoldfastError('usage', 'a CTF file is ASCII without blocks', 'leave --encoding and --blocked out');
  }
  return chosen;
}

export async function* fileChunks(file: string): AsyncGenerator<Buffer> {
  try {
    if (!statSync(file).isFile()) {
      throw new HoldfastError('bad_input_file', `${file} is no file`, 'give a clearing file');
    }
    for await (const chunk of createReadStream(file, { highWaterMark: 1 << 18 })) yield chunk as Buffer;
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    throw systemError('bad_input_file', file, error, 'give a readable clearing file');
  }
}

export function findingText({ code, severity, record, offset, field, text }: Finding): string {
  const where = [...(record > 0 ? [`record ${record}`] : []), `byte ${offset}`, ...(field === '' ? [] : [field])];
  return `${severity} ${code}: ${where.join(', ')}: ${text}`;
}

/** @throws HoldfastError `bad_input_file` when the file is not accepted */
function refuse(file: string, { accepted, errors, findings }: ClearingReport): void {
  if (accepted) return;
  const first = findings.find(({ severity }) => severity === 'error')?.code ?? 'unknown';
  throw new HoldfastError(
    'bad_input_file',
    `${file}: ${errors} ${errors === 1 ? 'error' : 'errors'}, first ${first}`,
    'a file is accepted or refused whole; see docs/reference/clearing.md for the codes',
  );
}

function tell(report: ClearingReport, terminal: Terminal): void {
  const verdict = report.accepted ? paint(terminal, 'green', 'accepted') : paint(terminal, 'red', 'refused');
  const container = report.blocked ? '1014-byte blocks' : 'no blocks';
  terminal.out(`${verdict}: ${report.profile}, ${report.encoding}, ${container}`);
  terminal.out(`file id ${report.fileId || '(none)'}, mode ${report.mode || '(none)'}, ${report.records} records`);
  terminal.out(`${report.bytes} bytes, sha256 ${report.sha256}`);
  for (const [type, count] of Object.entries(report.messages)) terminal.out(`  ${type.padEnd(10)}${count}`);
  const { sums, settlements } = reportJson(report);
  for (const { currency, transaction, settlement, billing } of sums) {
    terminal.out(`  sums ${currency}: transaction ${transaction}, settlement ${settlement}, billing ${billing}`);
  }
  for (const { settlement_date: day, settlement_cycle: cycle, currency, records, debits, credits } of settlements) {
    const when = day === null ? 'no settlement data' : `${day} cycle ${cycle}`;
    terminal.out(`  settlement ${when}, ${currency}: ${records} records, debits ${debits}, credits ${credits}`);
  }
  for (const finding of report.findings) terminal.out(findingText(finding));
  const hidden = report.errors + report.warnings - report.findings.length;
  if (hidden > 0) terminal.out(`and ${hidden} more`);
}
