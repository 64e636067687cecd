/** `holdfast network-day`: tomorrow's clearing file of today's authorizations, with planted breaks, for tests and demos. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { checkShares, extras, type Shares, treatments } from '../clearing/box/shares.js';
import { ExitStatus, HoldfastError } from '../errors.js';
import { newCommand, type Run, setAction, wholeNumber } from './command.js';
import { hsmDevicesIn, kekOptions } from './hsm-options.js';
import { networkDay } from './network-day-data.js';
import { systemError } from './terminal.js';

const DAY_MS = 86_400_000;
const names: readonly string[] = [...treatments, ...extras];

interface Options {
  readonly seed: number;
  readonly cycle: number;
  readonly shares: Shares;
  readonly dataDir: string;
  readonly keyFile: string | undefined;
  readonly kekFile: string | undefined;
  readonly out: string;
  readonly ascii?: boolean;
}

export function addNetworkDay(program: Command, run: Run): void {
  const command = newCommand(
    program,
    'network-day',
    "a network in a box: makes the clearing file of a date's open authorizations of sandbox programs, with breaks by shares",
    ['network-day --date 2026-11-26 --out day.ipm --plan plan.json --shares missing=0.01,tips=0.2,forced=0.005'],
  )
    .requiredOption('--date <date>', 'the date, by UTC, of the authorizations')
    .requiredOption('--out <file>', 'where the file goes (must not be there; it holds card numbers: mode 0600)')
    .option('--plan <file>', 'where the plan goes: what was planted, as JSON')
    .option('--held-back <plan>', 'presents what an earlier plan has held back')
    .option('--seed <n>', 'the same seed makes the same file', wholeNumber(0, 2 ** 31 - 1), 1)
    .option('--cycle <n>', 'settlement cycle', wholeNumber(1, 9), 1)
    .option('--shares <list>', `name=0..1, separated by commas: ${names.join(', ')}`, sharesOf, {})
    .option('--missing-file', 'the totals name a file of the next cycle that never comes')
    .option('--ascii', 'ASCII without blocks instead of EBCDIC in 1014-byte blocks')
    .option('--data-dir <path>', 'data directory, of a stopped or a running server', './data')
    .option('--key-file <path>', 'keys of the vault (<data-dir>.keys)')
    .option('--json', 'the plan on stdout');
  kekOptions(command);
  setAction(command, run, async (options) => {
    const { ascii, seed, cycle, shares, dataDir, keyFile, kekFile, out } = options as unknown as Options;
    if (options.missingFile === true && cycle === 9)
      throw new HoldfastError('usage', '--missing-file: there is no cycle behind 9', 'give a --cycle of 1 to 8');
    // Before the journal is read for a file that would have no place.
    if (existsSync(out)) throw new HoldfastError('usage', `--out ${out} is there already`, 'name a file that is not');
    const { plan, live } = await networkDay({
      ...{ seed, cycle, shares, dataDir, keyFile, kekFile, out, environment: run.terminal.environment },
      devices: hsmDevicesIn(options),
      day: dayOf(String(options.date)),
      encoding: ascii === true ? 'ascii' : 'cp500',
      blocked: ascii !== true,
      missingFile: options.missingFile === true,
      heldBack: options.heldBack === undefined ? [] : heldBackOf(String(options.heldBack)),
    });
    const text = JSON.stringify(plan);
    if (options.plan !== undefined) writePlan(String(options.plan), text);
    const { fileId, authorizations, presentments, breaks } = plan;
    if (live > 0) run.terminal.err(`left out ${live} authorizations of cards that are of no sandbox program`);
    run.terminal.out(
      options.json === true
        ? text
        : `file=${String(out)} id=${fileId} authorizations=${authorizations} presentments=${presentments} planted=${breaks.length}`,
    );
    return ExitStatus.ok;
  });
}

/** @throws HoldfastError `usage` */
function writePlan(path: string, text: string): void {
  try {
    writeFileSync(path, `${text}\n`);
  } catch (error) {
    throw systemError('usage', `--plan ${path}`, error, 'name a file that can be written; --json has the plan, too');
  }
}

function dayOf(date: string): number {
  const timeMs = /^\d{4}-\d{2}-\d{2}$/.test(date) ? Date.parse(`${date}T00:00:00Z`) : Number.NaN;
  if (!Number.isNaN(timeMs)) return timeMs / DAY_MS;
  throw new HoldfastError('usage', `--date: no date: ${date}`, 'give a date such as 2026-01-31');
}

/** @throws HoldfastError `usage` */
function sharesOf(list: string): Shares {
  const shares: Record<string, number> = {};
  for (const item of list.split(',')) {
    const [name = '', share = ''] = item.split('=');
    if (!names.includes(name) || share === '')
      throw new HoldfastError('usage', `--shares: not understood: ${item}`, `the names are ${names.join(', ')}`);
    shares[name] = Number(share);
  }
  try {
    checkShares(shares);
  } catch (error) {
    throw new HoldfastError('usage', `--shares: ${(error as Error).message}`, 'give shares of 0 to 1');
  }
  return shares;
}

/** @throws HoldfastError `bad_input_file` */
function heldBackOf(path: string): string[] {
  try {
    const { heldBack } = JSON.parse(readFileSync(path, 'utf8')) as { heldBack?: unknown };
    if (Array.isArray(heldBack) && heldBack.every((id) => typeof id === 'string')) return heldBack;
  } catch (error) {
    throw systemError('bad_input_file', path, error, 'give a plan of network-day');
  }
  throw new HoldfastError('bad_input_file', `${path} is no plan`, 'give a plan of network-day');
}
