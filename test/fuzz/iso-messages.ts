/** Messages to begin with, and values of fields from a seed. */
import { type FieldSpec, fieldSpecs } from '#src/iso8583/fields.js';
import type { Fields } from '#src/iso8583/message.js';
import { originalData, privateData, replacementAmounts } from '#src/iso8583/private-data.js';
import type { Random } from '../crash/random.js';

export const purchase: Fields = {
  0: '0100',
  2: '9999991234567893',
  3: '000000',
  4: '000000001000',
  7: '1122140300',
  11: '180507',
  12: '140300',
  13: '1122',
  14: '3012',
  18: '5411',
  19: '076',
  22: '051',
  25: '00',
  32: '12345',
  35: '9999991234567893=30121010000012345',
  37: '326514180507',
  41: 'TERM0001',
  42: 'ACCEPTOR0000001',
  43: 'CORNER SHOP            SAO PAULO     BRA',
  48: privateData([
    [20, 'E'],
    [61, '1'],
    [82, '12345678912 EXAMPLE STREET'],
    [92, '123'],
  ]),
  49: '986',
  52: 'hex:0011223344556677',
  54: '0040986D000000000100',
  55: 'hex:9F2608A1B2C3D4E5F607089F270180',
  63: '326514180507001',
};

const reversal: Fields = {
  0: '0420',
  2: '999999123456789',
  3: '000000',
  4: '000000001000',
  7: '1122140400',
  11: '180508',
  28: 'D00000150',
  37: '326514180507',
  39: '00',
  41: 'TERM0001',
  48: privateData([[63, '326514180507001']]),
  49: '986',
  90: originalData(100, 180_507, 1_122_140_300, 12_345),
  95: replacementAmounts(700),
};

const totals: Fields = {
  0: '0500',
  7: '1122140300',
  11: '000002',
  15: '1122',
  50: '986',
  76: '0000000002',
  88: '0000000000002468',
  97: 'D0000000000002468',
  99: '12345',
};

const echo: Fields = { 0: '0800', 7: '1122140300', 11: '000002', 70: '301' };

/** Every fixed field, so that each is met. */
const everything: Fields = Object.fromEntries([
  ['0', '0100'],
  ...fieldSpecs.filter((spec) => spec.max <= 60).map((spec) => [String(spec.field), plainValue(spec)]),
]) as Fields;

export const isoSeeds: readonly Fields[] = [purchase, reversal, totals, echo, { 0: '0100' }, everything];

function plainValue(spec: FieldSpec): string {
  if (spec.type === 'b') return `hex:${'A5'.repeat(spec.max)}`;
  if (spec.type === 'x+n') return 'C'.padEnd(spec.max, '1');
  if (spec.type === 'z') return '9999991234567893=3012';
  return '1'.repeat(spec.form === 'fixed' ? spec.max : Math.min(spec.max, 5));
}

/** A value that the field can have, its shortest and longest more often than chance would have them. */
export function randomValue(random: Random, spec: FieldSpec): string {
  const length =
    spec.form === 'fixed'
      ? spec.max
      : random.pick([0, 1, 2, spec.max - 1, spec.max, random.int(0, Math.min(spec.max, 40))]);
  switch (spec.type) {
    case 'n':
      return digits(random, length);
    case 'x+n':
      return random.pick(['C', 'D']) + digits(random, length - 1);
    case 'z': {
      if (length < 2) return digits(random, length);
      const before = random.int(1, length - 1);
      return `${digits(random, before)}=${digits(random, length - before - 1)}`;
    }
    case 'b':
      return `hex:${Array.from({ length }, () => random.int(0, 255).toString(16).padStart(2, '0')).join('')}`;
    case 'an':
    case 'ans': {
      const most = random.chance(0.7) ? 0x7e : 0xff;
      if (random.chance(0.2)) return digits(random, length);
      return Array.from({ length }, () => String.fromCharCode(random.int(0x20, most))).join('');
    }
  }
}

export function digits(random: Random, length: number): string {
  let text = '';
  while (text.length < length) text += String(random.int(0, 999_999_999)).padStart(9, '0');
  return text.slice(0, length);
}
