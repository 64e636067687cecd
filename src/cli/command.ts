/**
 * What all commands share: how an action reports its exit status, the common options, how the program names itself in
 * the next command it suggests.
 */

import { basename, relative } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import type { ExitStatus } from '../errors.js';
import type { Terminal } from './terminal.js';

/** State of one run of the program. */
export interface Run {
  readonly terminal: Terminal;
  status: ExitStatus | number;
}

/** A new command with the options every command has. `examples` are printed last in its help. */
export function newCommand(parent: Command, usage: string, text: string, examples: readonly string[]): Command {
  return parent
    .command(usage)
    .description(text)
    .option('--debug', 'print stack traces of failures')
    .addHelpText('after', `\nExamples:\n${examples.map((line) => `  $ holdfast ${line}`).join('\n')}`);
}

/** Runs `work` as the action of a command; a status it returns becomes that of the process. */
export function setAction(
  command: Command,
  run: Run,
  work: (options: Record<string, unknown>, args: string[]) => Promise<ExitStatus | number | undefined>,
): void {
  command.action(async () => {
    run.status = (await work(command.opts(), command.args)) ?? run.status;
  });
}

/** An option value that must be a whole number in a range. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d{1,15}$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(`Allowed: an integer from ${min} to ${max}.`);
    }
    return value;
  };
}

const timeUnits: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };

/** An option value that is a time, in ms: `500ms`, `5s`, `1m`; a bare number counts seconds, as for the load test. */
export function milliseconds(min: number, max: number): (text: string) => number {
  return (text) => {
    const match = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m)?$/.exec(text);
    const value = match === null ? Number.NaN : Math.round(Number(match[1]) * timeUnits[match[2] ?? 's']!);
    if (!(value >= min && value <= max)) {
      throw new InvalidArgumentError(`Allowed: a time such as 500ms or 5s, from ${min} ms to ${max / 1000} s.`);
    }
    return value;
  };
}

/** How a user calls this program from where they are: `holdfast`, or `node dist/cli/main.js`. */
export function programName(argv: readonly string[] = process.argv, cwd: string = process.cwd()): string {
  const script = argv[1] ?? 'holdfast';
  return basename(script) === 'main.js' ? `node ${relative(cwd, script) || script}` : 'holdfast';
}
