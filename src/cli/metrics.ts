/** `holdfast metrics`: the Prometheus text of a running server. */
import type { Command } from 'commander';
import { addApiOptions, apiClient } from './api-client.js';
import { newCommand, type Run, setAction } from './command.js';

export function addMetrics(program: Command, run: Run): void {
  const command = newCommand(program, 'metrics', 'print the metrics of a running server', [
    'metrics',
    'metrics --filter holdfast_declines_total',
  ])
    .option('--filter <prefix>', 'only metrics whose name begins so')
    .option('--json', 'one JSON object per sample');
  addApiOptions(command);
  setAction(command, run, async (options) => {
    const text = await apiClient(options, run.terminal).getText('/metrics');
    const prefix = (options.filter as string | undefined) ?? '';
    for (const line of text.split('\n')) {
      const sample = parseSample(line);
      const name = sample?.name ?? /^# (?:HELP|TYPE) (\S+)/.exec(line)?.[1];
      if (name === undefined || !name.startsWith(prefix)) continue;
      if (options.json !== true) run.terminal.out(line);
      else if (sample !== undefined) run.terminal.out(JSON.stringify(sample));
    }
    return undefined;
  });
}

interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number | string;
}

/** One sample line of the Prometheus text format; undefined for comments and blank lines. */
export function parseSample(line: string): Sample | undefined {
  const match = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line);
  if (match === null) return undefined;
  const labels: Record<string, string> = {};
  for (const [, label, text] of (match[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
    labels[label!] = text!.replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char));
  }
  const value = Number(match[3]);
  return { name: match[1]!, labels, value: Number.isFinite(value) ? value : match[3]! };
}
