/**
 * The command tree, and what happens to every failure: one line on stderr with the next thing to do, and an exit status
 * from errors.ts.
 */
import { Command, CommanderError } from 'commander';
import { ExitStatus } from '../errors.js';
import { addAccrue } from './accrue.js';
import { addApprovals } from './approvals.js';
import { addAudit } from './audit.js';
import { addBackup, addRestore } from './backup.js';
import { addChargebacks } from './chargebacks.js';
import { addClear } from './clear.js';
import { addClock } from './clock.js';
import type { Run } from './command.js';
import { addConfig } from './config-command.js';
import { addDoctor } from './doctor.js';
import { addExplain } from './explain.js';
import { addImport } from './import.js';
import { addInspect, addSweep } from './inspect.js';
import { addIpm } from './ipm.js';
import { addIso } from './iso.js';
import { addJournal } from './journal.js';
import { addKeys } from './keys.js';
import { addLoadtest } from './loadtest.js';
import { addMetrics } from './metrics.js';
import { addNetworkDay } from './network-day.js';
import { addPanScan } from './pan-scan.js';
import { addRecon } from './recon.js';
import { addReplay } from './replay.js';
import { addServe } from './serve.js';
import { addSimulate } from './simulate.js';
import { report, type Terminal } from './terminal.js';
import { addToken } from './token.js';
import { addTop } from './top.js';
import { addTraces } from './traces.js';
import { addVerify } from './verify.js';
import { addVersion, versionLine } from './version.js';

/** Width of help on anything but a terminal: wide enough that no line wraps. */
const HELP_COLUMNS = 120;

/** In the order of the help. */
const commands = [
  addServe,
  addImport,
  addClear,
  addRecon,
  addNetworkDay,
  addChargebacks,
  addVerify,
  addAudit,
  addToken,
  addApprovals,
  addKeys,
  addBackup,
  addRestore,
  addInspect,
  addSweep,
  addJournal,
  addExplain,
  addReplay,
  addSimulate,
  addIso,
  addIpm,
  addLoadtest,
  addMetrics,
  addTop,
  addTraces,
  addAccrue,
  addClock,
  addConfig,
  addDoctor,
  addPanScan,
  addVersion,
];

export function buildProgram(run: Run): Command {
  const program = new Command('holdfast')
    .description('Card-issuing authorization engine: ISO 8583 in, a durable decision out.')
    .version(versionLine(), '-V, --version', 'print the version')
    .helpCommand('help [command]', 'help for a command')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => run.terminal.out(text.trimEnd()),
      // Failures are printed once, by `execute`.
      writeErr: (text) => void (text.startsWith('error:') ? undefined : run.terminal.err(text.trimEnd())),
      getOutHelpWidth: () => Math.max(HELP_COLUMNS, process.stdout.columns ?? 0),
      getErrHelpWidth: () => Math.max(HELP_COLUMNS, process.stderr.columns ?? 0),
    })
    .showSuggestionAfterError(true)
    .addHelpText('after', '\nExamples:\n  $ holdfast serve --demo\n  $ holdfast doctor\n  $ holdfast help serve');
  for (const add of commands) add(program, run);
  return program;
}

/** Runs one command line (without `node` and the script) and returns the exit status. Never rejects. */
export async function execute(args: readonly string[], terminal: Terminal): Promise<number> {
  const run: Run = { terminal, status: ExitStatus.ok };
  const debug = args.includes('--debug') || terminal.environment.HOLDFAST_DEBUG === '1';
  const program = buildProgram(run);
  try {
    await program.parseAsync(args, { from: 'user' });
    return run.status;
  } catch (error) {
    if (error instanceof CommanderError) return usageStatus(error, program, args, terminal);
    return report(terminal, error, debug);
  }
}

function usageStatus(error: CommanderError, program: Command, args: readonly string[], terminal: Terminal): number {
  if (error.exitCode === 0) return ExitStatus.ok;
  // A command that only has subcommands, alone: commander has printed its help.
  if (error.code === 'commander.help') return ExitStatus.usage;
  const text = error.message
    .replace(/^error: /, '')
    .split('\n')
    .map((line) => line.trim().replace(/\.+$/, ''))
    .filter((line) => line !== '')
    .join('; ')
    .replace(/; \(Did you mean/g, ' (did you mean');
  terminal.err(`holdfast: ${text}. Next: ${commandPath(program, args)} --help`);
  return ExitStatus.usage;
}

/** `holdfast iso send` for arguments that begin so. */
function commandPath(program: Command, args: readonly string[]): string {
  const names = [program.name()];
  let command: Command | undefined = program;
  for (const word of args) {
    command = command.commands.find((one) => one.name() === word);
    if (command === undefined) break;
    names.push(command.name());
  }
  return names.join(' ');
}
