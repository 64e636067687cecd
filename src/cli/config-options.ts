/** The settings of `serve` as flags of a command, and the way back from given flags to a loaded configuration. */
import { type Command, Option } from 'commander';
import { type Inputs, type LoadedConfig, loadConfig } from './config.js';
import { settingNames, settingOf } from './settings.js';
import type { Terminal } from './terminal.js';

export function addSettingOptions(command: Command): Command {
  command.option('--config <path>', 'YAML or JSON file with settings by flag name (also HOLDFAST_CONFIG)');
  for (const name of settingNames) {
    const { value, text, standard, kind, allowed } = settingOf(name);
    if (kind === 'boolean') {
      command.option(`--${name}`, `${text} (or --no-${name})`);
      command.addOption(new Option(`--no-${name}`).hideHelp());
    } else {
      const names = allowed.startsWith('one of ') ? `: ${allowed.slice('one of '.length)}` : '';
      command.option(`--${name} ${value}`, `${text}${names} (${String(standard)})`);
    }
  }
  return command;
}

/** @throws HoldfastError `config_invalid` */
export function loadFromCommand(command: Command, terminal: Terminal): LoadedConfig {
  const flags: Record<string, string | boolean> = {};
  for (const option of command.options) {
    const key = option.attributeName();
    const name = option.long!.replace(/^--(no-)?/, '');
    if (command.getOptionValueSource(key) === 'cli') flags[name] = command.getOptionValue(key) as string | boolean;
  }
  const inputs: Inputs = { flags, environment: terminal.environment, terminal: terminal.errIsTty };
  return loadConfig(inputs);
}
