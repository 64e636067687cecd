import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { buildProgram } from '#src/cli/program.js';
import { report } from '#src/cli/terminal.js';
import { type ErrorCode, ExitStatus, errorCodes, HoldfastError } from '#src/errors.js';
import { fakeTerminal, say } from './fake-terminal.js';

/** Every command with its path, the groups included; the load test answers --help itself. */
function commandPaths(command: Command, path: string[] = []): string[][] {
  const inner = command.commands.flatMap((one) => commandPaths(one, [...path, one.name()]));
  return path[0] === 'loadtest' ? [] : [path, ...inner];
}

const paths = commandPaths(buildProgram({ terminal: fakeTerminal(), status: 0 }));

describe('help', () => {
  test('covers all commands', () => {
    const names = paths.map((path) => path.join(' '));
    for (const name of [
      'serve',
      'import',
      'clear',
      'explain',
      'iso describe',
      'iso build',
      'iso send',
      'config print',
      'doctor',
      'version',
    ]) {
      expect(names).toContain(name);
    }
  });

  test.each(paths)('%s %s: under 60 lines, examples last, on stdout', async (...path) => {
    const { status, out, err } = await say([...path, '--help']);
    expect(status).toBe(0);
    expect(err).toBe('');
    const lines = out.trimEnd().split('\n');
    expect(lines.length).toBeLessThan(60);
    const examples = lines.indexOf('Examples:');
    expect(examples).toBeGreaterThan(0);
    for (const line of lines.slice(examples + 1)) expect(line).toMatch(/^ {2}\$ holdfast /);
    // Nothing wraps at 120 columns.
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(120);
  });

  test('help of a command and the version', async () => {
    expect((await say(['help', 'doctor'])).out).toContain('holdfast doctor');
    expect((await say(['--version'])).out).toMatch(/^holdfast \d+\.\d+\.\d+\n$/);
    expect(JSON.parse((await say(['version', '--json'])).out)).toMatchObject({ node: process.versions.node });
  });
});

describe('mistakes', () => {
  test.each([
    [['sevre'], "holdfast: unknown command 'sevre' (did you mean serve?). Next: holdfast --help"],
    [
      ['serve', '--treads', '2'],
      "holdfast: unknown option '--treads' (did you mean --threads?). Next: holdfast serve --help",
    ],
    [['iso', 'sned'], "holdfast: unknown command 'sned' (did you mean send?). Next: holdfast iso --help"],
    [['iso', 'describe'], "holdfast: missing required argument 'hex'. Next: holdfast iso describe --help"],
    [
      ['doctor', 'now'],
      "holdfast: too many arguments for 'doctor'. Expected 0 arguments but got 1. Next: holdfast doctor --help",
    ],
    [['serve', '--host'], "holdfast: option '--host <host>' argument missing. Next: holdfast serve --help"],
    [
      ['iso', 'build', '--amount', 'ten'],
      "holdfast: option '--amount <minor units>' argument 'ten' is invalid. Allowed: an integer from 0 to 999999999999. Next: holdfast iso build --help",
    ],
  ])('%j', async (args, line) => {
    const { status, out, err } = await say(args);
    expect(status).toBe(64);
    expect(out).toBe('');
    expect(err).toBe(`${line}\n`);
  });

  test('no command at all: the help on stderr, 64', async () => {
    const { status, out, err } = await say([]);
    expect(status).toBe(64);
    expect(out).toBe('');
    expect(err).toContain('Usage: holdfast');
  });
});

describe('failures', () => {
  test.each(Object.keys(errorCodes) as ErrorCode[])(
    '%s: message and next step on one line, its exit status',
    (code) => {
      const terminal = fakeTerminal();
      const error = new HoldfastError(code, 'what and where', 'do this');
      expect(report(terminal, error, false)).toBe(errorCodes[code]);
      expect(terminal.said).toEqual({ out: '', err: 'holdfast: what and where. Next: do this\n' });
    },
  );

  test('an unexpected error is 70, with a stack trace only under --debug', () => {
    const quiet = fakeTerminal();
    expect(report(quiet, new TypeError('x is not a function'), false)).toBe(ExitStatus.internal);
    expect(quiet.said.err).toBe(
      'holdfast: unexpected error: TypeError: x is not a function. Next: repeat with --debug and report what it prints\n',
    );
    const loud = fakeTerminal();
    const cause = new Error('below');
    expect(report(loud, new HoldfastError('commit_failed', 'a', 'b', { cause }), true)).toBe(74);
    expect(loud.said.err).toMatch(/at .*program\.test\.ts/);
    expect(loud.said.err).toContain('Error: below');
  });
});
