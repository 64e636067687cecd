/**
 * `holdfast keys components`: a key-encrypting key that nobody knows alone. Components come from files or stdin and are never shown;
 * what is shown are check values.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import type { Command } from 'commander';
import { ExitStatus, HoldfastError } from '../errors.js';
import {
  COMPONENTS_MAX,
  COMPONENTS_MIN,
  combineComponents,
  componentCheckValue,
  newComponent,
} from '../vault/components.js';
import { keyOfText } from '../vault/kek.js';
import { newCommand, type Run, setAction, wholeNumber } from './command.js';
import { HiddenInput } from './hidden-input.js';
import { systemError } from './terminal.js';

const FILE_BYTES_MAX = 256;

export function addComponents(parent: Command, run: Run): void {
  const components = newCommand(
    parent,
    'components',
    'a key-encrypting key of two or three components, each of one person',
    [
      'keys components generate ana.component',
      'keys components check ana.component',
      'keys components combine --from ana.component --from ben.component --to kek',
    ],
  );
  addGenerate(components, run);
  addCheck(components, run);
  addCombine(components, run);
}

function addGenerate(parent: Command, run: Run): void {
  const command = newCommand(parent, 'generate <file>', 'make a component in a new file of yours (0600)', [
    'keys components generate ana.component',
  ]);
  setAction(command, run, async (_options, [path]) => {
    const component = newComponent();
    writeNew(path!, component, 0o600);
    run.terminal.out(`component file=${path} kcv=${componentCheckValue(component)}`);
    component.fill(0);
    return ExitStatus.ok;
  });
}

function addCheck(parent: Command, run: Run): void {
  const command = newCommand(parent, 'check [file]', 'the check value of a component, of a file or typed (not shown)', [
    'keys components check ana.component',
    'keys components check',
  ]);
  setAction(command, run, async (_options, [path]) => {
    const [component] = path === undefined ? await typed(run, 1) : [readComponent(path).bytes];
    run.terminal.out(`component kcv=${componentCheckValue(component!)}`);
    component!.fill(0);
    return ExitStatus.ok;
  });
}

function addCombine(parent: Command, run: Run): void {
  const command = newCommand(parent, 'combine', 'make the file of the key-encrypting key (0440) of its components', [
    'keys components combine --from ana.component --from ben.component --to /etc/holdfast/kek',
    'keys components combine --count 3 --to /etc/holdfast/kek --kcv 9746846456',
  ])
    .requiredOption('--to <file>', 'file of the key-encrypting key (must not be there)')
    .option('--from <file>', 'file of a component; again for each', (path: string, all: string[]) => [...all, path], [])
    .option(
      '--count <n>',
      'components that are typed (not shown), or lines of stdin, when no file is named',
      wholeNumber(COMPONENTS_MIN, COMPONENTS_MAX),
      COMPONENTS_MIN,
    )
    .option('--kcv <check value>', 'check value that the key must have, when it is entered once more');
  setAction(command, run, async (options) => {
    const { to, from, count, kcv } = options as unknown as { to: string; from: string[]; count: number; kcv?: string };
    const read = from.map(readComponent);
    const components = read.length > 0 ? read.map(({ bytes }) => bytes) : await typed(run, count);
    let key: Buffer | undefined;
    try {
      components.forEach((one, index) => {
        run.terminal.out(`component ${index + 1} kcv=${componentCheckValue(one)}`);
      });
      if (new Set(read.map(({ owner }) => owner)).size < read.length)
        run.terminal.err('files of one owner: whoever that is knew the whole key');
      key = combineComponents(components);
      const made = componentCheckValue(key);
      if (kcv !== undefined && kcv.toLowerCase() !== made)
        throw new HoldfastError(
          'bad_input_file',
          `the key has the check value ${made}, not ${kcv}`,
          'compare those of the components',
        );
      writeNew(to, key, 0o440);
      run.terminal.out(`key-encrypting key file=${to} kcv=${made}`);
      run.terminal.err(
        `give it to another user than the server's, and to the server's group: chown root:<group> ${to}`,
      );
    } finally {
      for (const one of components) one.fill(0);
      key?.fill(0);
    }
    return ExitStatus.ok;
  });
}

/** Components of stdin, one a line. */
async function typed(run: Run, count: number): Promise<Buffer[]> {
  const input = new HiddenInput(run.terminal);
  const components: Buffer[] = [];
  try {
    while (components.length < count) {
      const number = components.length + 1;
      const bytes = keyOfText(await input.line(`component ${number} of ${count}, 64 hexadecimal digits (not shown): `));
      if (bytes === undefined) throw noComponent(`line ${number}`);
      // Each person sees at once whether what they typed is theirs.
      run.terminal.err(`component ${number} kcv=${componentCheckValue(bytes)}`);
      components.push(bytes);
    }
    return components;
  } catch (error) {
    for (const one of components) one.fill(0);
    throw error;
  } finally {
    await input.close();
  }
}

function readComponent(path: string): { bytes: Buffer; owner: number } {
  let handle: number;
  try {
    handle = openSync(path, constants.O_RDONLY);
  } catch (error) {
    throw systemError('bad_input_file', `component ${path} cannot be read`, error, 'name the file of a component');
  }
  try {
    const stat = fstatSync(handle);
    if (!stat.isFile() || stat.size > FILE_BYTES_MAX) throw noComponent(path);
    if ((stat.mode & 0o077) !== 0)
      throw new HoldfastError(
        'bad_input_file',
        `component ${path} can be used by others than its owner`,
        `run: chmod 600 ${path}`,
      );
    const text = readFileSync(handle);
    const bytes = keyOfText(text.toString('latin1'));
    text.fill(0);
    if (bytes === undefined) throw noComponent(path);
    return { bytes, owner: stat.uid };
  } finally {
    closeSync(handle);
  }
}

function noComponent(where: string): HoldfastError {
  return new HoldfastError('bad_input_file', `${where} is no component: 64 hexadecimal digits`, 'nothing was written');
}

/** A new file with the key in hexadecimal digits, on the disk when it returns. Nothing is left of it when it fails. */
function writeNew(path: string, key: Buffer, mode: number): void {
  let handle: number;
  try {
    handle = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  } catch (error) {
    throw systemError(
      'bad_input_file',
      `${path} cannot be made`,
      error,
      'name a file that is not there, in a folder that is',
    );
  }
  const text = Buffer.from(`${key.toString('hex')}\n`, 'latin1');
  try {
    writeFileSync(handle, text);
    fchmodSync(handle, mode);
    fsyncSync(handle);
  } catch (error) {
    unlinkSync(path);
    throw systemError('bad_input_file', `${path} cannot be written`, error, 'nothing of it is left');
  } finally {
    text.fill(0);
    closeSync(handle);
  }
}
