/** `holdfast chargebacks`: the file of the chargebacks that the network has not been told of, from a running server. */
import { existsSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { ExitStatus, HoldfastError } from '../errors.js';
import { ApiRefused, addApiOptions, apiClient, type LeftOut } from './api-client.js';
import { newCommand, type Run, setAction } from './command.js';
import { systemError, type Terminal } from './terminal.js';

const PATH = '/v1/outgoing-files';
/** Lines about what is in no file; `--json` has all of a file. */
const LEFT_OUT_LINES = 100;

export function addChargebacks(program: Command, run: Run): void {
  const command = newCommand(program, 'chargebacks', 'make the file of chargebacks for the network, and fetch it', [
    'chargebacks --out chargebacks.ipm',
    'chargebacks --file out_7kq2m4w6y8a3c5e7g9j2n4q6s8 --out again.ipm',
  ])
    .requiredOption('--out <file>', 'where the file goes (must not be there; it holds card numbers: mode 0600)')
    .option('--file <id>', 'a file that was made before, instead of the next one')
    .option('--processor <digits>', 'whose file it is: 11 digits')
    .option('--ascii', 'ASCII without blocks instead of EBCDIC in 1014-byte blocks')
    .option('--json', 'the file as one JSON object');
  addApiOptions(command);
  setAction(command, run, async (options) => {
    const { out, file: id, processor, ascii, json } = options as Record<string, string | boolean | undefined>;
    // Before anything is made that would have no place.
    if (existsSync(String(out)))
      throw new HoldfastError('usage', `--out ${String(out)} is there already`, 'name a file that is not');
    const client = apiClient(options, run.terminal);
    const wish = {
      ...(ascii === true ? { encoding: 'ascii', blocked: false } : {}),
      ...(processor === undefined ? {} : { processor }),
    };
    const file = await (typeof id === 'string' ? client.get(`${PATH}/${id}`) : client.post(PATH, wish)).catch(
      (error: unknown) => {
        if (error instanceof ApiRefused) tellLeftOut(run.terminal, error.leftOut);
        throw error;
      },
    );
    const leftOut = file.left_out as readonly LeftOut[];
    const content = await client.getBytes(`${PATH}/${String(file.id)}/content`);
    try {
      writeFileSync(String(out), content, { flag: 'wx', mode: 0o600 });
    } catch (error) {
      throw systemError('usage', `--out ${String(out)}`, error, `fetch it again with --file ${String(file.id)}`);
    }
    run.terminal.out(
      json === true
        ? JSON.stringify(file)
        : `${String(file.id)}: file id ${String(file.file_id)}, chargebacks=${String(file.chargebacks)} reversals=${String(file.reversals)} left_out=${leftOut.length}`,
    );
    if (json !== true) tellLeftOut(run.terminal, leftOut);
    return ExitStatus.ok;
  });
}

/** The network does not learn of these by a file: somebody has to tell it. */
function tellLeftOut(terminal: Terminal, leftOut: readonly LeftOut[]): void {
  for (const { entry, reason } of leftOut.slice(0, LEFT_OUT_LINES)) terminal.err(`left out ${entry}: ${reason}`);
  if (leftOut.length > LEFT_OUT_LINES) terminal.err(`and ${leftOut.length - LEFT_OUT_LINES} more`);
}
