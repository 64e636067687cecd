import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { linkKeys } from '#src/cli/links.js';
import { buildProgram } from '#src/cli/program.js';
import { environmentName, settingNames } from '#src/cli/settings.js';
import { ExitStatus, errorCodes } from '#src/errors.js';
import { fakeTerminal } from './fake-terminal.js';

const root = new URL('../../', import.meta.url);
const text = (path: string) => readFileSync(new URL(path, root), 'utf8');

describe('reference pages', () => {
  test('the generated parts are those of the program', () => {
    const { status, stderr } = spawnSync(process.execPath, ['scripts/docs.mjs', '--check'], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });

  test('every setting, its flag and its variable', () => {
    const page = text('docs/reference/configuration.md');
    for (const name of settingNames) {
      expect(page).toContain(`| \`${name}\` | \`--${name}\` | \`${environmentName(name)}\` |`);
    }
    for (const name of Object.keys(linkKeys)) expect(page).toContain(`| \`${name}\` |`);
  });

  test('every command and every flag', () => {
    const page = text('docs/reference/cli.md');
    const walk = (command: Command, path: string): void => {
      expect(page).toContain(`## ${path}\n`);
      const section = page.slice(page.indexOf(`## ${path}\n`));
      for (const { long } of command.options) expect(section).toContain(long);
      for (const inner of command.commands) walk(inner, `${path} ${inner.name()}`);
    };
    walk(buildProgram({ terminal: fakeTerminal(), status: 0 }), 'holdfast');
  });

  test('every error code with its meaning, every exit status', () => {
    const page = text('docs/reference/errors.md');
    for (const [code, status] of Object.entries(errorCodes)) {
      expect(page).toMatch(new RegExp(`^\\| \`${code}\` \\| ${status} \\|`, 'm'));
      expect(page).toMatch(new RegExp(`^\\| \`${code}\` \\| [^0-9].+ \\| .+ \\|$`, 'm'));
    }
    for (const status of Object.values(ExitStatus)) expect(page).toMatch(new RegExp(`^\\| ${status} \\| `, 'm'));
    // And nothing that no longer exists.
    for (const [, code] of page.matchAll(/^\| `(\w+)` \|/gm)) expect(Object.keys(errorCodes)).toContain(code);
  });
});

describe('project pages', () => {
  test('every direct runtime dependency has its reason', () => {
    const { dependencies } = JSON.parse(text('package.json')) as { dependencies: Record<string, string> };
    const page = text('docs/dependencies.md');
    for (const name of Object.keys(dependencies))
      expect(page).toMatch(new RegExp(`^\\| \`${name.replaceAll('.', '\\.')}\` \\| .+ \\|`, 'm'));
    for (const [, name] of page.matchAll(/^\| `([^`]+)` \|/gm)) expect(Object.keys(dependencies)).toContain(name);
  });

  test('the map and the list of decisions name what is there, and links of both lead somewhere', () => {
    const map = text('docs/README.md');
    for (const name of readdirSync(new URL('docs/decisions/', root)).filter((file) => /^\d{4}-/.test(file))) {
      expect(map).toContain(`decisions/${name}`);
    }
    for (const page of [
      'docs/README.md',
      'CONTRIBUTING.md',
      'SECURITY.md',
      'docs/reference/cli.md',
      'docs/reference/errors.md',
    ]) {
      for (const [, target] of text(page).matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
        expect(() => text(new URL(target!, new URL(page, root)).href), `${page} -> ${target}`).not.toThrow();
      }
    }
  });

  test('the program in the package is executable as it is built', () => {
    const main = new URL('dist/cli/main.js', root);
    expect(readFileSync(main, 'utf8').startsWith('#!/usr/bin/env node\n')).toBe(true);
    expect(execFileSync(process.execPath, [main.pathname, '--version'], { encoding: 'utf8' })).toMatch(/^holdfast \d/);
  });
});
