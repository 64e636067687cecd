/**
 * What the pages say exists does exist: files and headings that links point to, commands and flags, error codes, metrics,
 * source files, bounds.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { findingSpecs } from '#src/clearing/findings.js';
import { buildProgram } from '#src/cli/program.js';
import { metricNames } from '#src/control/metric-table.js';
import { problems } from '#src/control/problem.js';
import { ruleErrorCodes } from '#src/domain/rules/rule-error.js';
import { ExitStatus, errorCodes } from '#src/errors.js';
import * as limits from '#src/limits.js';
import { fakeTerminal } from '../cli/fake-terminal.js';
import { built } from '../support/built.js';
import { allPages, Page, programArguments, root } from './pages.js';

const pages = allPages();
const byPath = new Map(pages.map((page) => [page.path, page]));
const program = buildProgram({ terminal: fakeTerminal(), status: 0 });
const main = fileURLToPath(built('cli/main.js'));
const loadtestHelp = execFileSync(process.execPath, [main, 'loadtest', '--help'], { encoding: 'utf8' });

/** Flags of a command that the program does not have; a name of a command that it does not have. */
function unknownParts(args: readonly string[]): string[] {
  let command: Command = program;
  const known = new Set(['-h', '--help', '-V', '--version']);
  const add = (options: Command['options']): void => {
    for (const { long, short } of options) for (const flag of [long, short]) if (flag) known.add(flag);
  };
  add(program.options);
  let at = 0;
  for (; command.commands.length > 0 && at < args.length; at++) {
    const word = args[at]!;
    if (word.startsWith('-') || word.startsWith('<') || word === 'help') break;
    const inner = command.commands.find((one) => one.name() === word);
    if (inner === undefined) return [`command ${word}`];
    command = inner;
    add(command.options);
  }
  const flags = args.slice(at).filter((word) => /^-{1,2}[a-zA-Z]/.test(word));
  if (command.name() === 'loadtest') {
    return flags.filter((flag) => !new RegExp(`(^|[\\s,])${flag.split('=')[0]}[\\s,]`, 'm').test(loadtestHelp));
  }
  return flags.filter((flag) => !known.has(flag.split('=')[0]!));
}

describe.each(pages)('$path', (page) => {
  test('links lead to files and headings that exist', () => {
    const dead = page.links.filter(({ file, anchor }) => {
      if (!existsSync(join(root, file))) return true;
      if (anchor === '' || !file.endsWith('.md')) return false;
      return !(byPath.get(file) ?? new Page(file)).anchors.includes(anchor);
    });
    expect(dead.map(({ written }) => written)).toEqual([]);
  });

  test('commands and flags exist', () => {
    const lines = [...page.commands.map(({ command }) => command), ...page.inlineCommands];
    const wrong = lines.flatMap((line) => {
      const args = programArguments(line);
      return args === undefined ? [] : unknownParts(args).map((part) => `${line}: ${part}`);
    });
    expect(wrong).toEqual([]);
  });

  test('metrics exist', () => {
    const named = [...page.text.matchAll(/\bholdfast_[a-z_]+/g)].map(([name]) =>
      name.replace(/_(bucket|sum|count)$/, ''),
    );
    expect(named.filter((name) => !(name in metricNames))).toEqual([]);
  });

  test('tables of codes hold codes of the program', () => {
    const known = new Set<string>([
      ...Object.keys(errorCodes),
      ...Object.keys(problems),
      ...ruleErrorCodes,
      ...Object.keys(findingSpecs),
    ]);
    const wrong = [...page.prose.matchAll(/^\| code \|.*\n\|[-| ]+\|\n((?:\|.*\n)*)/gm)].flatMap((table) =>
      [...table[1]!.matchAll(/^\| `([a-z_]+)` /gm)].map((row) => row[1]!).filter((code) => !known.has(code)),
    );
    expect(wrong).toEqual([]);
  });

  test('source files and bounds exist', () => {
    const files = [...page.prose.matchAll(/`((?:src|test|bench|loadtest|scripts|docs)\/[\w./-]+)`/g)].map((m) => m[1]!);
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
    const bounds = [...page.prose.matchAll(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`/g)].map((match) => match[1]!);
    const outside = bounds.filter((name) => !(name in limits) && !/^(HOLDFAST|NO|NODE)_/.test(name));
    expect(outside).toEqual([]);
  });

  test('names no folder of the machine it was written on', () => {
    expect(page.text).not.toMatch(/\/(root|tmp|home|work)\//);
  });
});

describe('README.md', () => {
  const readme = byPath.get('README.md')!;

  test('fits a reader: under 200 lines, with the figure between its marks', () => {
    expect(readme.text.split('\n').length).toBeLessThan(200);
    expect(readme.text).toMatch(/<!-- figure:start -->\n[^<]*docs\/benchmarks\.md[^<]*\n<!-- figure:end -->/);
  });

  test('the npm scripts it names exist', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object };
    const named = [...readme.text.matchAll(/npm (?:run )?(start|test|\w+)/g)].map((match) => match[1]!);
    const own = named.filter((name) => !['ci', 'installs'].includes(name));
    expect(own.filter((name) => !(name in scripts))).toEqual([]);
  });
});

test.skipIf(!byPath.has('docs/guides/operate.md'))('the operator reads about every exit status of the engine', () => {
  const page = byPath.get('docs/guides/operate.md')!;
  for (const status of Object.values(ExitStatus)) expect(page.text).toMatch(new RegExp(`^\\| ${status} \\|`, 'm'));
});
