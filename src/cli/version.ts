/** `holdfast version`: what is running, for bug reports. */

import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { newCommand, type Run, setAction } from './command.js';

interface PackageFile {
  name: string;
  version: string;
}

let cached: PackageFile | undefined;

/** Name and version of the package this file was built from. */
export function packageFile(): PackageFile {
  cached ??= JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as PackageFile;
  return cached;
}

export function versionLine(): string {
  return `holdfast ${packageFile().version}`;
}

export function addVersion(program: Command, run: Run): void {
  const command = newCommand(program, 'version', 'print the version of Holdfast and what it runs on', [
    'version',
    'version --json',
  ]).option('--json', 'one JSON object');
  setAction(command, run, async (options) => {
    const facts = {
      version: packageFile().version,
      node: process.versions.node,
      v8: process.versions.v8,
      modules_abi: process.versions.modules,
      platform: `${process.platform}-${process.arch}`,
    };
    if (options.json === true) run.terminal.out(JSON.stringify(facts));
    else run.terminal.out(`${versionLine()} (node ${facts.node}, abi ${facts.modules_abi}, ${facts.platform})`);
    return undefined;
  });
}
