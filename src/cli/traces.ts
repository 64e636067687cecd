/** `holdfast traces`: the slowest requests of the last minute on a running server, as a table or for a trace viewer. */
import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { REQUEST_STAGES, type RequestStage } from '../slow-request.js';
import { addApiOptions, apiClient } from './api-client.js';
import { newCommand, type Run, setAction } from './command.js';
import { systemError } from './terminal.js';

interface Trace {
  received_at: string;
  total_us: number;
  stages_us: Record<RequestStage, number>;
  shard: number;
  authorization: string | null;
}

export function addTraces(program: Command, run: Run): void {
  const command = newCommand(
    program,
    'traces',
    'the slowest requests of the last minute on a running server, and where their time went',
    ['traces', 'traces --chrome slow.json'],
  )
    .option('--chrome <file>', 'write them for a trace viewer (chrome://tracing, ui.perfetto.dev)')
    .option('--json', 'the answer of the API');
  addApiOptions(command);
  setAction(command, run, async (options) => {
    const { terminal } = run;
    const answer = await apiClient(options, terminal).get('/v1/traces');
    const traces = answer.data as Trace[];
    const file = options.chrome as string | undefined;
    if (file !== undefined) {
      try {
        writeFileSync(file, `${JSON.stringify(chromeTrace(traces))}\n`);
      } catch (error) {
        throw systemError('usage', `--chrome ${file}`, error, 'name a file in a folder that may be written');
      }
      terminal.out(`traces file=${file} requests=${traces.length}`);
    } else if (options.json === true) terminal.out(JSON.stringify(answer));
    else for (const line of traceTable(traces)) terminal.out(line);
    return undefined;
  });
}

/** Lines of a table, times in milliseconds. */
export function traceTable(traces: readonly Trace[]): string[] {
  if (traces.length === 0) return ['no request in the last minute'];
  const head = ['received', 'total ms', ...REQUEST_STAGES, 'shard', 'authorization'];
  const rows = traces.map((one) => [
    one.received_at,
    milliseconds(one.total_us),
    ...REQUEST_STAGES.map((stage) => milliseconds(one.stages_us[stage])),
    String(one.shard),
    one.authorization ?? '-',
  ]);
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)));
  return [head, ...rows].map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('  ')
      .trimEnd(),
  );
}

const milliseconds = (us: number): string => (us / 1000).toFixed(3);

/**
 * The same in the Trace Event Format of Chrome: a row per request, slowest first, a complete event (`ph` X, times in microseconds) per
 * stage.
 */
export function chromeTrace(traces: readonly Trace[]): { displayTimeUnit: 'ms'; traceEvents: object[] } {
  const traceEvents: object[] = [{ name: 'process_name', ph: 'M', pid: 1, tid: 0, args: { name: 'holdfast' } }];
  for (const [i, one] of traces.entries()) {
    const row = { pid: 1, tid: i + 1 };
    const name = one.authorization ?? `shard ${one.shard}`;
    traceEvents.push({ name: 'thread_name', ph: 'M', ...row, args: { name } });
    let ts = Date.parse(one.received_at) * 1000;
    for (const stage of REQUEST_STAGES) {
      const dur = one.stages_us[stage];
      const args = { shard: one.shard, total_us: one.total_us };
      traceEvents.push({ name: stage, cat: 'request', ph: 'X', ...row, ts, dur, args });
      ts += dur;
    }
  }
  return { displayTimeUnit: 'ms', traceEvents };
}
