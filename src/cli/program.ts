/**
 * The command tree, and what happens to every failure: one line on stderr with the next thing to do, and an exit status
 * from errors.ts.
 */
import { Command, CommanderError } from 'commander';
import { ExitStatus } from '../errors.js';
import type { Run } from './command.js';
import { addConfig } from './config-command.js';
import { addDoctor } from './doctor.js';
import { addIso } from './iso.js';
import { addServe } from './serve.js';
import { report, type Terminal } from './terminal.js';
import { addVersion, versionLine } from './version.js';

/** Width of help on anything but a terminal: wide enough that no line wraps. */
const HELP_COLUMNS = 120;

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
  for (const add of [addServe, addIso, addConfig, addDoctor, addVersion]) add(program, run);
  return program;
}

/** Runs one command line (without `node` and the script) and returns the exit status. Never rejects. */
export async function execute(args: readonly string[], terminal: Terminal): Promise<number> {
  const run: Run = { terminal, status: ExitStatus.ok };
  const debug = args.includes('--debug') || terminal.environment.HOLDFAST_DEBUG === '1';
  try {
    await buildProgram(run).parseAsync(args, { from: 'user' });
    return run.status;
  } catch (error) {
    if (error instanceof CommanderError) return usageStatus(error, args, terminal);
    return report(terminal, error, debug);
  }
}

function usageStatus(error: CommanderError, args: readonly string[], terminal: Terminal): number {
  if (error.exitCode === 0) return ExitStatus.ok;
  // `holdfast` alone: commander has printed the help.
  if (error.code === 'commander.help') return ExitStatus.usage;
  const [first, ...rest] = error.message.replace(/^error: /, '').split('\n');
  const suggestion = rest.map((line) => line.trim()).filter((line) => line !== '');
  const verbs = args.filter((word) => !word.startsWith('-')).slice(0, 1);
  const help = error.code === 'commander.unknownCommand' || verbs.length === 0 ? '' : ` ${verbs[0]}`;
  const tail = suggestion.length === 0 ? '' : ` ${suggestion.join(' ')}`;
  terminal.err(`holdfast: ${first}${tail}. Next: holdfast${help} --help`);
  return ExitStatus.usage;
}
