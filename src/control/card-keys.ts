/**
 * The keys that programs name for card cryptography, against those that the engine has (`--hsm-keys`): a name that is not there, or a
 * key of another purpose, would only be noticed by the first card whose message is answered 96.
 */
import type { ControlProblem } from '../domain/controls/json-reader.js';
import type { CryptographyTable } from '../domain/program/cryptography-table.js';
import { HoldfastError } from '../errors.js';
import { type KeyInfo, type KeyRole, roleFault } from '../vault/hsm/key-policy.js';
import type { CardKeysPort } from './ports.js';
import { invalid, snapshotParts } from './program-check.js';
import type { ProgramDefinition } from './system-log.js';
import type { ProgramRow, SystemState } from './system-state.js';

/** @param infos of the file of keys, none of them secret; none without a file */
export function cardKeysPort(infos: readonly KeyInfo[]): CardKeysPort {
  const byId = new Map(infos.map((info) => [info.id, info]));
  return {
    fault(id, role) {
      if (byId.size === 0) return 'the server has no keys of card cryptography: start it with --hsm-keys';
      const info = byId.get(id);
      return info === undefined ? `there is no key ${id} in the file of --hsm-keys` : roleFault(info, role);
    },
  };
}

/** Each key of the program that cannot be used, with its place there. */
export function problemsOfKeys(
  { snapshot }: Pick<ProgramRow, 'snapshot'>,
  keys: CardKeysPort,
): readonly ControlProblem[] {
  // One of a release that had no snapshots checks nothing.
  if (snapshot === undefined) return [];
  return namesIn(snapshotParts(snapshot).tables.cryptography).flatMap(([place, id, role]) => {
    const detail = keys.fault(id, role);
    return detail === undefined ? [] : [{ pointer: `/tables/cryptography/${place}`, detail }];
  });
}

/** @param row the revision that is about to be written @throws ApiError `validation_failed` */
export function assertKeys(row: ProgramRow, keys: CardKeysPort): void {
  const problems = problemsOfKeys(row, keys);
  if (problems.length > 0) throw invalid(problems);
}

/**
 * At the start: those of the file of programs must be there, others may have lost theirs and go on.
 * @returns what is missing to programs that the file does not name
 * @throws HoldfastError `bad_input_file`
 */
export function missingKeys(
  system: SystemState,
  file: readonly ProgramDefinition[],
  keys: CardKeysPort,
): { program: string; pointer: string; why: string }[] {
  return system.programs.flatMap((row) => {
    const { id } = row.program;
    const problems = problemsOfKeys(row, keys);
    const [first] = problems;
    if (first !== undefined && file.some((one) => one.id === id))
      throw new HoldfastError(
        'bad_input_file',
        `the file of programs, program ${id}: ${first.pointer}: ${first.detail}`,
        'put the key into the file of --hsm-keys, or name another one',
      );
    return problems.map(({ pointer, detail }) => ({ program: id, pointer, why: detail }));
  });
}

function namesIn({ stripe, cvv2, pin, chip }: CryptographyTable): [place: string, id: string, role: KeyRole][] {
  const all: [string, string, KeyRole][] = [];
  if (stripe !== undefined) all.push(['cvv/key', stripe.key, 'verify_cvv']);
  if (cvv2 !== undefined) all.push(['cvv2/key', cvv2.key, 'verify_cvv']);
  if (pin !== undefined) {
    all.push(['pin/zone_key', pin.zoneKey, 'decipher_pin']);
    for (const [link, id] of Object.entries(pin.zoneKeys)) all.push([`pin/zone_keys/${link}`, id, 'decipher_pin']);
    for (const [index, id] of Object.entries(pin.pvvKeys)) all.push([`pin/pvv_keys/${index}`, id, 'verify_pvv']);
    if (pin.ibm3624 !== undefined) all.push(['pin/ibm3624/key', pin.ibm3624.key, 'verify_ibm3624']);
  }
  if (chip !== undefined) all.push(['chip/key', chip.key, 'cryptogram']);
  return all;
}
