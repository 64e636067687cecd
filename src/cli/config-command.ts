/** `holdfast config print|check|schema`: what `serve` would run with, and why. */
import type { Command } from 'commander';
import { z } from 'zod';
import { newCommand, type Run, setAction } from './command.js';
import type { ConfigEntry, LoadedConfig } from './config.js';
import { addSettingOptions, loadFromCommand } from './config-options.js';
import { fileSchema } from './settings.js';
import { paint } from './terminal.js';

export function addConfig(program: Command, run: Run): void {
  const config = newCommand(program, 'config', 'show, check or describe the configuration of serve', [
    'config print --tcp-port 9583',
    'config check --config holdfast.yaml',
    'config schema > holdfast.schema.json',
  ]);

  const print = newCommand(config, 'print', 'print every setting with its value and where it comes from', [
    'config print',
    'config print --config holdfast.yaml --json',
  ]).option('--json', 'one JSON object');
  addSettingOptions(print);
  setAction(print, run, async (options) => {
    const loaded = loadFromCommand(print, run.terminal);
    if (options.json === true) run.terminal.out(JSON.stringify(asJson(loaded), null, 2));
    else for (const line of asLines(loaded, run)) run.terminal.out(line);
    return undefined;
  });

  const check = newCommand(
    config,
    'check',
    'check the configuration; status 64 and one line per problem when it is wrong',
    ['config check --config holdfast.yaml --links links.yaml --programs programs.yaml'],
  ).option('--json', 'one JSON object');
  addSettingOptions(check);
  setAction(check, run, async (options) => {
    const { config: loaded } = loadFromCommand(check, run.terminal);
    const facts = { ok: true, links: loaded.links.length, programs: loaded.programs.length };
    const line = `config ok links=${facts.links} programs=${facts.programs}`;
    run.terminal.out(options.json === true ? JSON.stringify(facts) : line);
    return undefined;
  });

  const schema = newCommand(config, 'schema', 'print the JSON Schema of a configuration file, for editors', [
    'config schema > holdfast.schema.json',
  ]);
  setAction(schema, run, async () => {
    run.terminal.out(JSON.stringify(z.toJSONSchema(fileSchema, { io: 'input' }), null, 2));
    return undefined;
  });
}

/** Values whose key promises a secret are never shown. */
const secretKey = /(password|passphrase|secret|token)$/i;

function shown(key: string, value: unknown): unknown {
  if (secretKey.test(key) && value !== undefined) return '********';
  if (Array.isArray(value)) return value.map((inner) => shown(key, inner));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, shown(name, inner)]));
  }
  return value;
}

function asJson({ config, entries }: LoadedConfig): object {
  const named = entries.map(({ name, value, source, where }: ConfigEntry) => [
    name,
    { value: shown(name, value ?? null), source, where },
  ]);
  return { settings: Object.fromEntries(named) as object, links: shown('links', config.links) };
}

function asLines({ config, entries }: LoadedConfig, run: Run): string[] {
  const width = Math.max(...entries.map(({ name }) => name.length));
  const lines = entries.map(({ name, value, source, where }) => {
    const text = value === undefined ? '-' : String(shown(name, value));
    const origin = source === 'default' ? 'default' : `${source} ${where}`;
    return `${name.padEnd(width)}  ${text.padEnd(24)}  ${paint(run.terminal, 'dim', origin)}`;
  });
  for (const link of config.links)
    lines.push(`link ${link.name}`.padEnd(width + 2) + JSON.stringify(shown('link', link)));
  return lines;
}
