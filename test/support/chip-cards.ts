/** Cards of a program that checks everything, with keys and values that are known (test/vault/card/golden.ts). */
import { makeSnapshot } from '#src/domain/program/snapshot.js';
import { dialectNames } from '#src/iso8583/dialects.js';
import { privateData } from '#src/iso8583/private-data.js';
import { digitsOf } from '#src/vault/card/bytes.js';
import type { PinReference } from '#src/vault/pin-references.js';
import { golden } from '../vault/card/golden.js';
import { PAN } from '../vault/hsm/support.js';

export { PAN };
/** The PIN 1234 of PAN. */
export const PVV: PinReference = { method: 'pvv', keyIndex: 1, digits: digitsOf('4232') };
export const OFFSET: PinReference = { method: 'offset', keyIndex: 0, digits: digitsOf('6478') };

export const everyRule = {
  cvv: { key: 'cvk' },
  cvv2: { key: 'cvk' },
  pin: {
    zone_key: 'zpk',
    pvv_keys: { 1: 'pvk' },
    ibm3624: { key: 'ibm', table: golden.table, validation: { start: 0, length: 16, pad: 'F' } },
  },
  chip: { scheme: 'visa', key: 'imk' },
  three_d_secure: { deny: ['210'] },
};

/** Snapshot of a program with these tables. */
export function snapshotOf(tables: object, revision = 1): string {
  const head = { id: 'cards', currency: 'BRL', product: 'credit', sandbox: true, controls: {}, rules: [] };
  const made = makeSnapshot({ ...head, tables }, revision, { dialects: dialectNames, knowsZone: () => true });
  if (!made.ok) throw new Error(JSON.stringify(made.problems));
  return made.text;
}

/** Track 2 of PAN: expiry 2912, service code 201, PVKI and PVV, then the value. */
export const track2 = (value: string): string => `${PAN}=291220114232${value}`;
export const track1 = (value: string): string => `B${PAN}^DOE/JANE^291220114232${value}`;
export const cvv2 = (value: string): string => privateData([[92, value]]);

/** Tags and values in hexadecimal as DE55; a tag with '' is left out. */
export function tlvOf(tags: Readonly<Record<string, string>>): string {
  const fields = Object.entries(tags).filter(([, value]) => value !== '');
  return `hex:${fields.map(([tag, value]) => tag + (value.length / 2).toString(16).padStart(2, '0') + value).join('')}`;
}

/** DE55 of a card of the table of known values, by its cryptogram version; `over` replaces tags, '' leaves one out. */
export function chipData(version: string, over: Readonly<Record<string, string>> = {}): string {
  const row = golden.emv.find(([name, pan]) => name === version && pan === PAN)!;
  const [, , applicationData, arqc] = row;
  return tlvOf({ ...golden.tags, '9F26': arqc, '9F27': '80', '9F10': applicationData, '5F34': '01', ...over });
}
