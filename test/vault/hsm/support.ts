/** The software adapter with the keys of the known values, and requests that it answers ok. */
import { digitsOf } from '#src/vault/card/bytes.js';
import { type CryptogramVersion, cryptogramInput, type EmvTag } from '#src/vault/card/emv-profiles.js';
import type { AnswerArqc, HsmRequest, HsmVerdict, VerifyArqc, VerifyPin } from '#src/vault/hsm/port.js';
import { SoftHsm } from '#src/vault/hsm/soft-hsm.js';
import { type KeyPurpose, SoftKeys } from '#src/vault/hsm/soft-keys.js';
import { golden } from '../card/golden.js';

export const bytes = (hex: string): Buffer => {
  const copy = Buffer.alloc(hex.length / 2);
  copy.write(hex, 'hex');
  return copy;
};
export const hex = (data: Uint8Array): string => Buffer.from(data).toString('hex').toUpperCase();
export const text = (digits: Uint8Array): string => Buffer.from(digits).toString('latin1');
export const digits = digitsOf;

export const PAN = '9999990000000017';
export const OTHER_PAN = '9999990000000025';
export const PAN19 = '9999990000000000017';

const secondZone = 'A1B2C3D4E5F60718293A4B5C6D7E8F90';
const secondZoneAes = 'F0E1D2C3B4A5968778695A4B3C2D1E0F00112233445566778899AABBCCDDEEFF';

/** Handle, what the key is for, its bytes. */
export const keyring: readonly (readonly [string, KeyPurpose, string])[] = [
  ['cvk', { usage: 'C0', algorithm: 'T', mode: 'C' }, golden.keys.cvk],
  ['pvk', { usage: 'V2', algorithm: 'T', mode: 'C' }, golden.keys.pvk],
  ['ibm', { usage: 'V1', algorithm: 'T', mode: 'C' }, golden.keys.pvk],
  ['zpk', { usage: 'P0', algorithm: 'T', mode: 'B' }, golden.keys.zpk],
  ['zpk2', { usage: 'P0', algorithm: 'T', mode: 'B' }, secondZone],
  ['zpk4', { usage: 'P0', algorithm: 'A', mode: 'B' }, golden.keys.zpkAes],
  ['zpk4b', { usage: 'P0', algorithm: 'A', mode: 'B' }, secondZoneAes],
  ['imk', { usage: 'E0', algorithm: 'T', mode: 'X' }, golden.keys.imkAc],
  ['smc', { usage: 'E1', algorithm: 'T', mode: 'X' }, golden.keys.imkSmc],
  ['smi', { usage: 'E2', algorithm: 'T', mode: 'X' }, golden.keys.imkSmi],
  ['dn', { usage: 'E4', algorithm: 'T', mode: 'X' }, golden.keys.imkDn],
  ['mac', { usage: 'M3', algorithm: 'T', mode: 'C' }, golden.keys.mac],
  ['mac1', { usage: 'M1', algorithm: 'T', mode: 'C' }, golden.keys.mac],
  ['cmac', { usage: 'M6', algorithm: 'A', mode: 'C' }, golden.keys.mac],
  ['cmact', { usage: 'M6', algorithm: 'T', mode: 'C' }, golden.keys.mac],
  ['bdk', { usage: 'B0', algorithm: 'T', mode: 'X' }, golden.keys.bdk],
  ['bdka', { usage: 'B0', algorithm: 'A', mode: 'X' }, golden.keys.bdkAes],
  ['dek', { usage: 'D0', algorithm: 'A', mode: 'B' }, golden.keys.bdkAes],
  ['kbpk', { usage: 'K1', algorithm: 'A', mode: 'B' }, golden.keyBlocks[2][1]],
  ['kbpkt', { usage: 'K1', algorithm: 'T', mode: 'D' }, golden.keyBlocks[0][1]],
];

export function newKeys(): SoftKeys {
  const keys = new SoftKeys();
  for (const [id, purpose, material] of keyring) {
    const verdict = keys.add(id, purpose, bytes(material));
    if (verdict.outcome !== 'ok') throw new Error(`${id}: ${JSON.stringify(verdict)}`);
  }
  return keys;
}

export function newHsm(keys = newKeys()): SoftHsm {
  return new SoftHsm(keys, { allowSoftwarePin: true, say: () => undefined });
}

/** Value of a verdict that must be ok. */
export function valueIn(verdict: HsmVerdict): Uint8Array {
  if (verdict.outcome !== 'ok' || verdict.value === undefined) throw new Error(JSON.stringify(verdict));
  return verdict.value;
}

/** `ok`, `mismatch` or the failure. */
export const nameOf = (verdict: HsmVerdict): string =>
  verdict.outcome === 'failed' ? verdict.failure : verdict.outcome;

export const tags = Object.fromEntries(
  Object.entries(golden.tags).map(([tag, value]) => [tag, bytes(value)]),
) as Record<EmvTag, Buffer>;

type EmvRow = (typeof golden.emv)[number];
/** The request that verifies the cryptogram of a row, with an answer of the profile's method. */
export function arqcOf([version, pan, iad, arqc]: EmvRow): VerifyArqc {
  const data = cryptogramInput(version as CryptogramVersion, tags, bytes(iad))!;
  const two = version === 'visa_cvn18' || version === 'visa_cvn22';
  return {
    op: 'verify_arqc',
    key: 'imk',
    version: version as CryptogramVersion,
    pan: digits(pan),
    psn: digits('01'),
    atc: bytes('0123'),
    un: bytes('5EEDCAFE'),
    data,
    arqc: bytes(arqc),
    ...(two ? { cardStatus: bytes('03920000'), proprietary: bytes('AB') } : { responseCode: bytes('3030') }),
  };
}

/** The answer alone, as a shard asks for it when the response is known. */
export function answerOf(row: EmvRow): AnswerArqc {
  const { data: _signed, ...rest } = arqcOf(row);
  return { ...rest, op: 'answer_arqc' };
}

/** PIN 1234 of PAN under the zone key, against its PVV. */
export const verifyPin = (format: 0 | 1 | 3 | 4 = 0): VerifyPin => ({
  op: 'verify_pin',
  pan: digits(PAN),
  pin: {
    key: format === 4 ? 'zpk4' : 'zpk',
    format,
    block: bytes(golden.pinBlocks.find(([f, pan]) => f === format && pan === PAN)![3]),
  },
  method: { method: 'pvv', key: 'pvk', keyIndex: 1 },
  reference: digits('4232'),
});

const offset: VerifyPin = {
  ...verifyPin(),
  method: {
    method: 'ibm3624',
    key: 'ibm',
    table: digits(golden.table),
    validation: { start: 0, length: 16, pad: 'F' },
  },
  reference: digits('6478'),
};
const track = { expiry: '2912', serviceCode: '201' };
const card = { pan: digits(PAN), psn: digits('01') };
const macRequest = { key: 'mac', algorithm: 'retail', padding: 1, length: 8, data: bytes(golden.macs.data) } as const;
const script = { ...card, version: 'visa_cvn10', atc: bytes('0123'), arqc: bytes(golden.emv[0][3]) } as const;

/** One request of each operation, and of each kind where there are several; all are answered ok. */
export const requests: readonly HsmRequest[] = [
  { op: 'verify_cvv', key: 'cvk', pan: digits(PAN), ...track, cvv: digits('117') },
  { op: 'generate_cvv', key: 'cvk', pan: digits(PAN), ...track },
  { op: 'verify_dcvv', key: 'imk', masterKey: 'A', ...card, ...track, atc: bytes('0123'), cvv: digits(golden.dcvv[5]) },
  {
    op: 'verify_cvc3',
    key: 'dn',
    masterKey: 'B_always',
    ...card,
    track: bytes(golden.cvc3[2]),
    un: bytes(golden.cvc3[3]),
    atc: bytes(golden.cvc3[4]),
    cvc3: digits(golden.cvc3[5]),
  },
  verifyPin(),
  verifyPin(1),
  verifyPin(3),
  verifyPin(4),
  offset,
  { ...verifyPin(), op: 'change_pin', newBlock: verifyPin().pin.block },
  { ...offset, op: 'change_pin', newBlock: verifyPin().pin.block },
  { op: 'set_pin', pan: digits(PAN), pin: verifyPin(3).pin, method: offset.method },
  { op: 'translate_pin', pan: digits(PAN), pin: verifyPin(0).pin, toKey: 'zpk4', toFormat: 4 },
  ...golden.emv.map(arqcOf),
  ...golden.emv.map(answerOf),
  { op: 'script_mac', key: 'smi', ...script, header: bytes('8418000008'), data: new Uint8Array(0) },
  { op: 'script_pin_change', acKey: 'imk', macKey: 'smi', encipherKey: 'smc', ...script, pin: verifyPin().pin },
  { op: 'generate_mac', ...macRequest },
  { op: 'verify_mac', ...macRequest, mac: bytes(golden.macs.retail1) },
  { op: 'encipher_kek', key: 'dek', iv: Buffer.alloc(16, 1), data: Buffer.alloc(32, 2) },
  { op: 'decipher_kek', key: 'dek', iv: Buffer.alloc(16, 1), data: Buffer.alloc(32, 2) },
  { op: 'describe_key', key: 'cvk' },
  { op: 'import_key', protection: 'kbpkt', block: golden.keyBlocks[0][2], as: 'imported' },
  { op: 'echo' },
];
