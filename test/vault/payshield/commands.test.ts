/** The bytes of the host commands, and what becomes of the answers. */
import { describe, expect, it } from 'vitest';
import type { HsmRequest } from '#src/vault/hsm/port.js';
import { type Command, CommandMaker } from '#src/vault/payshield/commands.js';
import { DeviceKeys } from '#src/vault/payshield/device-keys.js';
import { verdictOfCode } from '#src/vault/payshield/error-codes.js';
import { golden } from '../card/golden.js';
import { arqcOf, bytes, digits, keyring, nameOf, PAN, requests, verifyPin } from '../hsm/support.js';

const U = 'U0123456789ABCDEF0123456789ABCDEF';
/** Each key as a short block that shows its name. */
function blocks(): DeviceKeys {
  const keys = new DeviceKeys({ allowVariants: true });
  for (const [id, { usage, algorithm, mode }] of keyring) {
    const wrapped = `S10000${id.toUpperCase()}`;
    keys.add({ id, usage, algorithm, mode, exportability: 'N', bits: 128, kcv: '000000', wrapped });
  }
  for (const [id, usage] of [
    ['u-zpk', 'P0'],
    ['u-mac', 'M3'],
  ] as const)
    keys.add({
      id,
      usage,
      algorithm: 'T',
      mode: usage === 'P0' ? 'B' : 'C',
      exportability: 'N',
      bits: 128,
      kcv: '000000',
      wrapped: U,
    });
  return keys;
}
const maker = new CommandMaker(blocks());
const make = (request: HsmRequest): Command => {
  const made = maker.make(request);
  if ('outcome' in made) throw new Error(JSON.stringify(made));
  return made;
};
/** Printable bytes as they are, others in angle brackets. */
const shown = ({ code, fields }: Command): string =>
  code +
  fields
    .toString('latin1')
    .replace(/[^ -~]+/g, (run) => `<${Buffer.from(run, 'latin1').toString('hex').toUpperCase()}>`);

const offset = requests[8]!;
const mac = {
  op: 'generate_mac',
  key: 'mac',
  algorithm: 'retail',
  padding: 1,
  length: 8,
  data: digits('DATA'),
} as const;
const row = (version: string, pan = PAN): (typeof golden.emv)[number] =>
  golden.emv.find((one) => one[0] === version && one[1] === pan)!;
/** A short input, so that a line shows it: bytes that can be printed. */
const short = (version: string, pan?: string): HsmRequest => ({
  ...arqcOf(row(version, pan)),
  data: digits('SIGNED'),
  arqc: digits('ARQC-MAC'),
  atc: digits('AT'),
  un: digits('UNPR'),
});
const withoutAnswer = (request: HsmRequest): HsmRequest => {
  const { responseCode: _code, cardStatus: _status, proprietary: _own, ...rest } = request as ReturnType<typeof arqcOf>;
  return rest;
};

const lines: readonly (readonly [string, HsmRequest, string])[] = [
  ['echo', { op: 'echo' }, 'B20008HOLDFAST'],
  ['CVV', requests[0]!, `CYS10000CVK117${PAN};2912201`],
  ['new CVV', requests[1]!, `CWS10000CVK${PAN};2912201`],
  ['PVV', verifyPin(0), `ECS10000ZPKS10000PVK${golden.pinBlocks[0][3]}0199900000000114232`],
  ['PVV, format 1', verifyPin(1), `ECS10000ZPKS10000PVK${golden.pinBlocks[1][3]}0599900000000114232`],
  ['PVV, format 3', verifyPin(3), `ECS10000ZPKS10000PVK${golden.pinBlocks[2][3]}4799900000000114232`],
  [
    'offset',
    offset,
    `EAS10000ZPKS10000IBM12${golden.pinBlocks[0][3]}0104999000000001${golden.table}9999990000N76478FFFFFFFF`,
  ],
  [
    'new PVV',
    { op: 'set_pin', pan: digits(PAN), pin: verifyPin().pin, method: verifyPin().method },
    `FWFFFS10000ZPKS10000PVK${golden.pinBlocks[0][3]}019990000000011`,
  ],
  [
    'new PVV, variant key',
    { op: 'set_pin', pan: digits(PAN), pin: { ...verifyPin().pin, key: 'u-zpk' }, method: verifyPin().method },
    `FW001${U}S10000PVK${golden.pinBlocks[0][3]}019990000000011`,
  ],
  [
    'PIN change',
    { ...verifyPin(), op: 'change_pin', newBlock: bytes('0011223344556677') },
    `CUFFFS10000ZPKS10000PVK${golden.pinBlocks[0][3]}01999000000001142320011223344556677`,
  ],
  [
    'translation',
    { op: 'translate_pin', pan: digits(PAN), pin: verifyPin().pin, toKey: 'zpk2', toFormat: 3 },
    `CCS10000ZPKS10000ZPK212${golden.pinBlocks[0][3]}0147999000000001`,
  ],
  ['Visa 10', short('visa_cvn10'), 'KQ10S10000IMK<9999000000001701>ATUNPR08SIGNED<0000>;ARQC-MAC00'],
  [
    'Visa 10, no answer',
    withoutAnswer(short('visa_cvn10')),
    'KQ00S10000IMK<9999000000001701>ATUNPR08SIGNED<0000>;ARQC-MAC',
  ],
  ['M/Chip 16', short('mchip_cvn16'), 'KQ11S10000IMK<9999000000001701>ATUNPR08SIGNED<8000>;ARQC-MAC00'],
  ['M/Chip 20', short('mchip_cvn20'), 'KW12S10000IMK<9999000000001701>AT08SIGNED<8000>;ARQC-MAC00'],
  ['Visa 18', short('visa_cvn18'), 'KW32S10000IMK<9999000000001701>AT08SIGNED<8000>;ARQC-MAC<03920000>1<AB>'],
  [
    'Visa 18, long number',
    short('visa_cvn18', '9999990000000000017'),
    'KW33S10000IMK21<0999999000000000001701>;AT08SIGNED<8000>;ARQC-MAC<03920000>1<AB>',
  ],
  [
    'Visa 18, no answer',
    withoutAnswer(short('visa_cvn18')),
    'KW02S10000IMK<9999000000001701>AT08SIGNED<8000>;ARQC-MAC',
  ],
  ['MAC', mac, 'M600131FFFS10000MAC0004DATA'],
  ['MAC of 4 bytes, padding 2, variant key', { ...mac, key: 'u-mac', length: 4, padding: 2 }, `M600032008${U}0004DATA`],
  [
    'MAC verified',
    { ...mac, op: 'verify_mac', mac: bytes('0123456789ABCDEF') },
    'M800131FFFS10000MAC0004DATA0123456789ABCDEF',
  ],
];

describe('commands', () => {
  it.each(lines)('%s', (_name, request, line) => {
    // Packed digits may be printable by chance: the expectation writes them in brackets throughout.
    const flat = (text: string): string =>
      text.replace(/<([0-9A-F]+)>/g, (_, run: string) => Buffer.from(run, 'hex').toString('latin1'));
    expect(shown(make(request))).toBe(
      shown({ ...make({ op: 'echo' }), code: line.slice(0, 2), fields: Buffer.from(flat(line.slice(2)), 'latin1') }),
    );
  });

  it.each([
    ['format 4', verifyPin(4)],
    ['a terminal key', { ...verifyPin(), pin: { ...verifyPin().pin, ksn: bytes(golden.dukptTdes.ksn) } }],
    [
      'a new offset',
      {
        op: 'set_pin',
        pan: digits(PAN),
        pin: verifyPin().pin,
        method: (offset as ReturnType<typeof verifyPin>).method,
      },
    ],
    [
      'a changed offset',
      { ...(offset as ReturnType<typeof verifyPin>), op: 'change_pin', newBlock: bytes('0011223344556677') },
    ],
    [
      'validation data elsewhere',
      {
        ...offset,
        method: {
          method: 'ibm3624',
          key: 'ibm',
          table: digits(golden.table),
          validation: { start: 0, length: 8, pad: 'F' },
        },
      },
    ],
    ['CMAC', { ...mac, key: 'cmac', algorithm: 'cmac' }],
    ['MAC of 6 bytes', { ...mac, length: 6 }],
    ['more data than a length of two digits', { ...arqcOf(row('visa_cvn18')), data: Buffer.alloc(250) }],
    ['dCVV', requests[2]!],
    ['CVC3', requests[3]!],
    ...requests.filter(({ op }) => /script|import/.test(op)).map((request) => [request.op, request] as const),
  ] as readonly (readonly [string, HsmRequest])[])('%s is told to be unsupported', (_name, request) => {
    const made = maker.make(request);
    expect('outcome' in made && nameOf(made)).toBe('unsupported');
  });

  it('keys of another usage never reach a device', () => {
    for (const key of ['pvk', 'mac', 'imk', 'nobody']) {
      const made = maker.make({ ...requests[0]!, key } as HsmRequest);
      expect('outcome' in made && nameOf(made)).toBe('key_not_usable');
    }
  });
});

describe('answers', () => {
  it.each([
    ['echo', 'HOLDFAST', 'ok'],
    ['echo', 'HOLDFASX', undefined],
    ['CVV', '', 'ok'],
    ['CVV', '1', undefined],
    ['new CVV', '117', 'ok'],
    ['new CVV', '11', undefined],
    ['new CVV', '11A', undefined],
    ['new PVV', '4232', 'ok'],
    ['PIN change', '42325', undefined],
    ['translation', '040123456789ABCDEF47', 'ok'],
    ['translation', '040123456789ABCDEF01', undefined],
    ['translation', '040123456789ABCDE47', undefined],
    ['Visa 10', '8 BYTES.', 'ok'],
    ['Visa 10', '4BYT', undefined],
    ['Visa 18', '4BYT', 'ok'],
    ['Visa 18, no answer', '', 'ok'],
    ['Visa 18, no answer', '4BYT', undefined],
    ['MAC', '0123456789ABCDEF', 'ok'],
    ['MAC', '0123456789ABCDEX', undefined],
    ['MAC', '01234567', undefined],
  ] as const)('%s: %s is %s', (name, fields, outcome) => {
    const request = lines.find(([one]) => one === name)![1];
    expect(make(request).read(Buffer.from(fields))?.outcome).toBe(outcome);
  });

  it.each([
    ['01', 'mismatch', 'device_error'],
    ['02', 'device_error', 'device_error'],
    ['10', 'key_not_usable', 'key_not_usable'],
    ['A6', 'key_not_usable', 'key_not_usable'],
    ['15', 'bad_request', 'bad_request'],
    ['20', 'pin_unreadable', 'pin_unreadable'],
    ['24', 'pin_unreadable', 'pin_unreadable'],
    ['23', 'bad_request', 'bad_request'],
    ['41', 'device_error', 'device_error'],
    ['13', 'device_error', 'device_error'],
    ['68', 'unsupported', 'unsupported'],
    ['86', 'not_allowed', 'not_allowed'],
    ['ZZ', 'device_error', 'device_error'],
  ])('error %s of a command that compares: %s, of another: %s', (code, comparing, other) => {
    expect(nameOf(verdictOfCode(code, true))).toBe(comparing);
    expect(nameOf(verdictOfCode(code, false))).toBe(other);
  });
});

describe('keys of a device', () => {
  const key = {
    id: 'k',
    usage: 'C0',
    algorithm: 'T',
    mode: 'C',
    exportability: 'N',
    bits: 128,
    kcv: 'A3A8F0',
  } as const;
  it.each([
    ['S10096C0TC00N0000', 'ok'],
    [U, 'not_allowed'],
    ['T0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF', 'not_allowed'],
    ['U0123', 'bad_request'],
    ['0123456789ABCDEF', 'bad_request'],
    ['', 'bad_request'],
    [`S1${'0'.repeat(2000)}`, 'bad_request'],
  ])('%s: %s', (wrapped, outcome) => expect(nameOf(new DeviceKeys().add({ ...key, wrapped }))).toBe(outcome));

  it('are described without what is wrapped, and not replaced', () => {
    const keys = new DeviceKeys({ allowVariants: true });
    expect(nameOf(keys.add({ ...key, wrapped: U }))).toBe('ok');
    expect(nameOf(keys.add({ ...key, wrapped: U }))).toBe('not_allowed');
    expect(keys.describe('k')).toEqual({ outcome: 'ok', key });
    expect(nameOf(keys.describe('l'))).toBe('key_not_usable');
  });
});
