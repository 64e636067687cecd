/** `holdfast chargebacks`: the file of the chargebacks that the network has not been told of, from a running server. */
import { existsSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { ExitStatus, HoldfastError } from '../errors.js';
import { addApiOptions, apiClient } from './api-client.js';
import { newCommand, type Run, setAction } from './command.js';
import { systemError } from './terminal.js';

const PATH = '/v1/outgoing-files';

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
    const file = typeof id === 'string' ? await client.get(`${PATH}/${id}`) : await client.post(PATH, wish);
    const content = await client.getBytes(`${PATH}/${String(file.id)}/content`);
    try {
      writeFileSync(String(out), content, { flag: 'wx', mode: 0o600 });
    } catch (error) {
      throw systemError('usage', `--out ${String(out)}`, error, `fetch it again with --file ${String(file.id)}`);
    }
    run.terminal.out(
      json === true
        ? JSON.stringify(file)
        : `${String(file.id)}: file id ${String(file.file_id)}, chargebacks=${String(file.chargebacks)} reversals=${String(file.reversals)} left_out=${(file.left_out as unknown[]).length}`,
    );
    return ExitStatus.ok;
  });
}
