/** `holdfast keys status|components|wrap|rewrap|rotate`: the key file and the key that wraps it. No key is ever shown or an argument. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import { ExitStatus, HoldfastError } from '../errors.js';
import { directoryPaths } from '../store/data-directory.js';
import { openLmdbStore } from '../store/lmdb-store.js';
import type { Kek } from '../vault/kek.js';
import {
  type KeyFileFacts,
  keyFileFacts,
  loadKeys,
  type RotatedUsage,
  rewrapKeyFile,
  rotatedUsages,
  wrapKeyFile,
} from '../vault/keys.js';
import { type KeyRotationState, vaultRotation } from '../vault/pan-vault.js';
import { sealKek } from '../vault/sealed-kek.js';
import { addApiOptions, apiClient, type Json } from './api-client.js';
import { newCommand, type Run, setAction } from './command.js';
import { askDevices } from './hsm-devices.js';
import { hsmDevicesIn, kekOptions } from './hsm-options.js';
import { KEK_VARIABLE, type KekSource, kekOf, keyFileOf, NEW_KEK_VARIABLE } from './kek-source.js';
import { addComponents } from './key-components.js';
import { systemError } from './terminal.js';

/** Between two looks at a rotation. */
const WAIT_MS = 500;

interface FileOptions {
  readonly dataDir: string;
  readonly keyFile?: string;
  readonly kekFile?: string;
}

export function addKeys(program: Command, run: Run): void {
  const keys = newCommand(program, 'keys', 'keys of the vault: what there is, wrapping, split knowledge', [
    'keys status',
    'keys components generate ana.component',
    'keys wrap --kek-file /etc/holdfast/kek',
    'keys rotate --wait',
  ]);
  addStatus(keys, run);
  addComponents(keys, run);
  addWrap(keys, run);
  addRewrap(keys, run);
  addSeal(keys, run);
  addRotate(keys, run);
}

function fileOptions(command: Command): Command {
  return kekOptions(
    command
      .option('--data-dir <path>', 'data directory whose keys they are', './data')
      .option('--key-file <path>', 'keys of the vault (<data-dir>.keys)'),
  );
}

/** Where a command looks for the key-encrypting key of its key file. */
function sourceOf(options: Readonly<Record<string, unknown>>, run: Run): KekSource {
  const { dataDir, keyFile = keyFileOf(dataDir), kekFile } = options as unknown as FileOptions;
  return { path: kekFile, keyFile, environment: run.terminal.environment, devices: hsmDevicesIn(options) };
}

function addStatus(parent: Command, run: Run): void {
  const command = newCommand(parent, 'status', 'the keys of a key file with their states and check values', [
    'keys status --key-file /etc/holdfast/keys',
    'keys status --kek-file /etc/holdfast/kek',
  ]);
  fileOptions(command).option('--json', 'one JSON object');
  setAction(command, run, async (options) => {
    const source = sourceOf(options, run);
    const { keyFile } = source;
    const facts = keyFileFacts(keyFile);
    const kek = await kekOf(source);
    // With the key at hand every wrapped one is opened and compared with its check value.
    if (kek !== undefined) loadKeys(keyFile, { create: false, kek });
    const opened = facts.kek === undefined || kek !== undefined;
    const rotations = await rotationsOf(String(options.dataDir));
    const newest = { rotation: rotations.pan ?? null, fingerprint_rotation: rotations.fingerprint ?? null };
    if (options.json === true) run.terminal.out(JSON.stringify({ ...json(facts, opened), ...newest }));
    else for (const line of statusLines(facts, opened, rotations)) run.terminal.out(line);
    return ExitStatus.ok;
  });
}

function json({ fileId, directory, kek, keys }: KeyFileFacts, opened: boolean): object {
  return { key_file: fileId, directory, wrapped: kek !== undefined, kek: kek ?? null, opened, keys };
}

type Rotations = { readonly [usage in RotatedUsage]?: KeyRotationState | undefined };

/** What the vault says of its newest rotations; nothing when there is no vault there. */
export async function rotationsOf(dataDir: string): Promise<Rotations> {
  const path = directoryPaths(dataDir).vault;
  if (!existsSync(join(path, 'data.mdb'))) return {};
  const store = openLmdbStore(path, { readOnly: true });
  try {
    return { pan: vaultRotation(store, 'pan'), fingerprint: vaultRotation(store, 'fingerprint') };
  } finally {
    await store.close();
  }
}

function rotationLine(usage: RotatedUsage, { key, rows, startedMs, finishedMs, at }: KeyRotationState): string {
  const since = new Date(startedMs).toISOString();
  const end = finishedMs === 0 ? `running at=${at}` : `done finished=${new Date(finishedMs).toISOString()}`;
  return `rotation usage=${usage} key=${key} rows=${rows} started=${since} ${end}`;
}

function statusLines({ fileId, directory, kek, keys }: KeyFileFacts, opened: boolean, rotations: Rotations): string[] {
  const how = kek === undefined ? 'wrapped=no' : `wrapped=yes kek=${kek} opened=${opened ? 'yes' : 'no'}`;
  return [
    `key_file=${fileId} directory=${directory} ${how}`,
    ...keys.map(
      ({ id, usage, state, kcv, created }) =>
        `${usage.padEnd(11)} ${id} ${state.padEnd(7)} kcv=${kcv} created=${created}`,
    ),
    ...rotatedUsages.flatMap((usage) =>
      rotations[usage] === undefined ? [] : [rotationLine(usage, rotations[usage])],
    ),
  ];
}

function addWrap(parent: Command, run: Run): void {
  const command = newCommand(
    parent,
    'wrap',
    'wrap the keys of a key file that has them as they are; stop the server before',
    ['keys wrap --key-file /etc/holdfast/keys --kek-file /etc/holdfast/kek'],
  );
  fileOptions(command);
  setAction(command, run, async (options) => {
    const source = sourceOf(options, run);
    const { keyFile } = source;
    const kek = named(await kekOf(source), `--kek-file or ${KEK_VARIABLE}`);
    const done = wrapKeyFile(keyFile, kek);
    run.terminal.out(`${done ? 'wrapped' : 'is wrapped already'} key_file=${keyFile} kek=${kek.kcv}`);
    if (done) run.terminal.err('copies of the file as it was still have the keys in the clear: destroy them');
    return ExitStatus.ok;
  });
}

function addRewrap(parent: Command, run: Run): void {
  const command = newCommand(
    parent,
    'rewrap',
    'wrap the keys by another key-encrypting key; a running server goes on',
    ['keys rewrap --key-file /etc/holdfast/keys --kek-file /etc/holdfast/kek --new-kek-file /etc/holdfast/kek2'],
  );
  fileOptions(command).option(
    '--new-kek-file <path>',
    `file of the key-encrypting key from now on, the key or sealed by devices; ${NEW_KEK_VARIABLE} has the key itself`,
  );
  setAction(command, run, async (options) => {
    const source = sourceOf(options, run);
    const { keyFile } = source;
    const from = named(await kekOf(source), `--kek-file or ${KEK_VARIABLE}`);
    const flag = '--new-kek-file';
    const path = options.newKekFile as string | undefined;
    const to = named(
      await kekOf({ ...source, path, variable: NEW_KEK_VARIABLE, flag }),
      `${flag} or ${NEW_KEK_VARIABLE}`,
    );
    if (from.kcv === to.kcv)
      throw new HoldfastError(
        'usage',
        'the new key-encrypting key is the present one',
        'make another: holdfast keys components',
      );
    rewrapKeyFile(keyFile, from, to);
    run.terminal.out(`wrapped key_file=${keyFile} kek=${to.kcv} before=${from.kcv}`);
    run.terminal.err(
      'start the server with the new key from now on; keep the one before as long as copies of the file need it',
    );
    return ExitStatus.ok;
  });
}

function addSeal(parent: Command, run: Run): void {
  const command = newCommand(
    parent,
    'seal',
    'have the key-encrypting key sealed by a device (HSM), which opens it at every start',
    ['keys seal --kek-file kek --hsm 10.0.0.11:1500 --hsm-keys devices.json --hsm-key dek-1 --to kek.sealed'],
  );
  fileOptions(command)
    .requiredOption('--hsm-key <name>', 'key for data (D0) in the file of the keys of the devices')
    .requiredOption('--to <path>', 'new file for the sealed key');
  setAction(command, run, async (options) => {
    const source = sourceOf(options, run);
    const { devices } = source;
    const kek = named(await kekOf(source), `--kek-file or ${KEK_VARIABLE}`);
    if (devices === undefined)
      throw new HoldfastError('usage', 'no device is named', 'name it with --hsm, and its keys with --hsm-keys');
    const to = options.to as string;
    const text = await askDevices(devices, (hsm) => sealKek(kek, options.hsmKey as string, hsm));
    try {
      writeFileSync(to, text, { flag: 'wx', mode: 0o600 });
    } catch (error) {
      throw systemError('usage', `--to ${to}`, error, 'name a new file in a folder that can be written');
    }
    run.terminal.out(`sealed ${to} kek=${kek.kcv} by key ${String(options.hsmKey)}`);
    run.terminal.err(
      'start the server with this file as --kek-file; then take the key itself away, but for its components',
    );
    return ExitStatus.ok;
  });
}

function named(kek: Kek | undefined, where: string): Kek {
  if (kek !== undefined) return kek;
  throw new HoldfastError('usage', 'no key-encrypting key is named', `name it with ${where}`);
}

function addRotate(parent: Command, run: Run): void {
  const command = newCommand(
    parent,
    'rotate',
    'make a new key for card numbers or for fingerprints in a running server, and move every card to it',
    ['keys rotate --token-file ana.token --wait', 'keys rotate --usage fingerprint --token-file ana.token'],
  )
    .addOption(
      new Option('--usage <usage>', 'key that is replaced: of card numbers (pan), of their fingerprints (fingerprint)')
        .choices([...rotatedUsages])
        .default('pan'),
    )
    .option('--wait', 'until every card is under the new key')
    .option('--json', 'the answer of the API');
  addApiOptions(command);
  setAction(command, run, async (options) => {
    const client = apiClient(options, run.terminal);
    const usage = options.usage as RotatedUsage;
    let answer = await client.post('/v1/keys/rotations', usage === 'pan' ? {} : { usage });
    while (options.wait === true && answer.object === 'key_rotation' && answer.status === 'running') {
      run.terminal.progress(`${Math.round(Number(answer.progress) * 100)} %`);
      await sleep(WAIT_MS);
      answer = (await client.get('/v1/keys'))[usage === 'pan' ? 'rotation' : 'fingerprint_rotation'] as Json;
    }
    run.terminal.progress('');
    run.terminal.out(options.json === true ? JSON.stringify(answer) : answerLine(answer));
    return answer.status === 'failed' ? ExitStatus.unavailable : ExitStatus.ok;
  });
}

function answerLine({ object, id, usage, key, status, progress, rows, failure }: Json): string {
  // The policy of the server wants a second person.
  if (object !== 'key_rotation') return `${object} id=${id} status=${status}`;
  return `rotation usage=${usage} key=${key} status=${status} progress=${progress} rows=${rows}${failure === null ? '' : ` failure=${JSON.stringify(failure)}`}`;
}
