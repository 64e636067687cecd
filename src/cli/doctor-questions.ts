/**
 * What `doctor` asks a device of each key: about a number of a test range, with a value that is no card's. A device that takes the keys says
 * that the value is wrong; one that does not says so of the key.
 *
 * A PIN is asked about with two keys, the one of its zone and the one of its reference value: in the pairs that programs name, then with
 * whatever key of the file was in none.
 */
import { cardKeysPort, problemsOfKeys } from '../control/card-keys.js';
import { snapshotParts } from '../control/program-check.js';
import type { ProgramRecord } from '../control/system-log.js';
import type { PinRule } from '../domain/program/cryptography-table.js';
import { type KeyInfo, type KeyRole, roleFault } from '../vault/hsm/key-policy.js';
import type { HsmRequest, HsmVerdict, PinMethod } from '../vault/hsm/port.js';
import type { Finding } from './doctor.js';

export interface Question {
  /** Names of its keys, for people. */
  readonly keys: readonly string[];
  readonly request: HsmRequest;
}

const PAN = Buffer.from('9999990000000017', 'latin1');
/** Under no key is this a PIN block of a card, but by an accident of 1 to 2^32. */
const BLOCK = Buffer.alloc(8, 0xa5);
/** For keys that no program names: as good as another, no PIN comes out of it. */
const TABLE = Buffer.from('0123456789012345', 'latin1');

const single: Readonly<Record<string, (key: string) => HsmRequest>> = {
  C0: (key) => ({
    ...{ op: 'verify_cvv', key, pan: PAN, expiry: '0001', serviceCode: '000' },
    cvv: Buffer.from('000', 'latin1'),
  }),
  E0: (key) => ({
    ...{ op: 'verify_arqc', key, pan: PAN, psn: Buffer.from('00', 'latin1'), version: 'visa_cvn10' },
    ...{ atc: Buffer.alloc(2), un: Buffer.alloc(4), data: Buffer.alloc(29), arqc: Buffer.alloc(8) },
  }),
};

/** Whether the device took the keys of a question. It is no PIN block of theirs, which it says when it has opened it. */
export const tookKeys = (verdict: HsmVerdict): boolean =>
  verdict.outcome !== 'failed' || verdict.failure === 'pin_unreadable';

export function questionsOf(infos: readonly KeyInfo[], programs: readonly ProgramRecord[]): readonly Question[] {
  const singles = infos.flatMap(({ id, usage }): Question[] => {
    const make = single[usage];
    return make === undefined ? [] : [{ keys: [id], request: make(id) }];
  });
  return [...singles, ...pinQuestions(infos, programs)];
}

function pinQuestions(infos: readonly KeyInfo[], programs: readonly ProgramRecord[]): Iterable<Question> {
  const pairs = new Map<string, Question>();
  const asked = new Set<string>();
  const add = (zone: string, method: PinMethod, format: PinRule['format']): void => {
    const { key } = method;
    const pin = { key: zone, block: BLOCK, format };
    const reference = Buffer.from('0000', 'latin1');
    pairs.set(`${zone} ${key}`, { keys: [zone, key], request: { op: 'verify_pin', pin, pan: PAN, method, reference } });
    asked.add(zone).add(key);
  };
  // What a program names in vain is a finding of its own.
  const byId = new Map(infos.map((info) => [info.id, info]));
  const fits = (id: string, role: KeyRole): boolean => {
    const info = byId.get(id);
    return info !== undefined && roleFault(info, role) === undefined;
  };
  for (const { format, zones, methods } of programs.flatMap(pinsOf))
    for (const zone of zones)
      for (const method of methods)
        if (fits(zone, 'decipher_pin') && fits(method.key, roles[method.method])) add(zone, method, format);

  const zones = infos.filter((info) => info.algorithm === 'T' && roleFault(info, 'decipher_pin') === undefined);
  const methods = infos.flatMap((info): PinMethod[] => {
    if (roleFault(info, 'verify_pvv') === undefined) return [{ method: 'pvv', key: info.id, keyIndex: 1 }];
    if (roleFault(info, 'verify_ibm3624') !== undefined) return [];
    return [{ method: 'ibm3624', key: info.id, table: TABLE, validation: { start: 0, length: 16, pad: 'F' } }];
  });
  const [firstZone, firstMethod] = [zones[0], methods[0]];
  if (firstZone !== undefined) for (const method of methods) if (!asked.has(method.key)) add(firstZone.id, method, 0);
  if (firstMethod !== undefined) for (const { id } of zones) if (!asked.has(id)) add(id, firstMethod, 0);
  return pairs.values();
}

const roles = { pvv: 'verify_pvv', ibm3624: 'verify_ibm3624' } as const;

interface Pins {
  readonly format: PinRule['format'];
  readonly zones: readonly string[];
  readonly methods: readonly PinMethod[];
}

/** What a program says of PINs: nothing, or once. */
function pinsOf({ snapshot }: ProgramRecord): readonly Pins[] {
  const pin = snapshot === undefined ? undefined : snapshotParts(snapshot).tables.cryptography.pin;
  if (pin === undefined) return [];
  const { format, zoneKey, zoneKeys, pvvKeys, ibm3624 } = pin;
  const methods = Object.entries(pvvKeys).map(
    ([index, key]): PinMethod => ({ method: 'pvv', key, keyIndex: Number(index) }),
  );
  if (ibm3624 !== undefined)
    methods.push({ ...ibm3624, method: 'ibm3624', table: Buffer.from(ibm3624.table, 'latin1') });
  return [{ format, zones: [zoneKey, ...Object.values(zoneKeys)], methods }];
}

/** One finding for each key that a program names and the file does not have, or has for something else. */
export function missingIn(infos: readonly KeyInfo[], programs: readonly ProgramRecord[]): Finding[] {
  const keys = cardKeysPort(infos);
  return programs.flatMap((record) =>
    problemsOfKeys({ snapshot: record.snapshot }, keys).map(({ pointer, detail }): Finding => {
      const { id } = record.program;
      return {
        check: 'hsm',
        verdict: 'fail',
        text: `program ${id}, ${pointer}: ${detail}`,
        values: { program: id, pointer },
      };
    }),
  );
}
