/**
 * `holdfast replay --until <position or time>`: an account as it was after a record, or at a time: status, limit, balances,
 * cards, open holds, counters, controls. The journal is replayed in a child process (replay-task.ts); nothing is changed.
 */
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { ExitStatus, HoldfastError } from '../errors.js';
import { maskJson } from '../pan-mask.js';
import { workerFile } from '../worker-file.js';
import type { Json } from './api-client.js';
import { newCommand, type Run, setAction } from './command.js';
import { lines } from './explain.js';
import { hsmDevicesIn, kekOptions } from './hsm-options.js';
import { runTask } from './reading-process.js';
import type { ReplayRequest } from './replay-data.js';
import { paint, type Terminal } from './terminal.js';

export function addReplay(program: Command, run: Run): void {
  const command = newCommand(
    program,
    'replay',
    'an account as it was: replays the journal until a position or a time',
    ['replay --until 3-1-4711', 'replay --until 2026-11-23T12:00:00Z --account demo-0001 --json'],
  )
    .requiredOption(
      '--until <position or time>',
      'last record that counts, shard-epoch-sequence as explain prints it, or an RFC 3339 time (inclusive; a date is all of its day, UTC)',
    )
    .option('--account <id>', 'the account (default: the one that the record at the position is about)')
    .option('--card <id>', 'the account of this card; needs the key file')
    .option('--data-dir <path>', 'data directory, of a stopped or a running server', './data')
    .option('--key-file <path>', 'keys of the vault, which make the ids of the API (<data-dir>.keys, if it is there)')
    .option('--json', 'one JSON object');
  kekOptions(command);
  setAction(command, run, async (options) => {
    if (options.account !== undefined && options.card !== undefined)
      throw new HoldfastError('usage', '--account and --card exclude each other', 'give one of them');
    const { until, account, card, keyFile, kekFile } = options as Partial<Record<keyof ReplayRequest, string>>;
    const devices = hsmDevicesIn(options);
    const request: ReplayRequest = {
      until: until!,
      ...(account === undefined ? {} : { account }),
      ...(card === undefined ? {} : { card }),
      ...(keyFile === undefined ? {} : { keyFile }),
      ...(kekFile === undefined ? {} : { kekFile }),
      ...(devices === undefined ? {} : { devices }),
    };
    const task = fileURLToPath(workerFile(import.meta.url, './replay-task.js'));
    const args = [String(options.dataDir), JSON.stringify(request)];
    const report = maskJson(await runTask<Json>('replay', task, args, run.terminal)) as Json;
    if (options.json === true) run.terminal.out(JSON.stringify(report));
    else tell(report, run.terminal);
    return ExitStatus.ok;
  });
}

function tell({ position, time, account, ...rest }: Json, terminal: Terminal): void {
  const { id } = account as Json;
  terminal.out(paint(terminal, 'bold', `account=${String(id)} position=${String(position)} time=${String(time)}`));
  for (const [key, value] of Object.entries({ ...(account as Json), ...rest })) {
    if (key === 'object' || key === 'id' || value === null) continue;
    for (const line of lines(key, value, 1)) terminal.out(line);
  }
}
