/** Random messages for the property and fuzz tests. */
import fc from 'fast-check';
import { type FieldSpec, fieldSpec, fieldSpecs } from '#src/iso8583/fields.js';
import type { Fields } from '#src/iso8583/message.js';

const digit = fc.constantFrom(...'0123456789');
const printable = fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code));
const anyByte = fc.integer({ min: 0, max: 0xff }).map((code) => String.fromCharCode(code));

function text(unit: fc.Arbitrary<string>, minLength: number, maxLength: number): fc.Arbitrary<string> {
  return fc.string({ unit, minLength, maxLength, size: 'max' });
}

function hex(minLength: number, maxLength: number): fc.Arbitrary<string> {
  return fc
    .uint8Array({ minLength, maxLength, size: 'max' })
    .map((bytes) => `hex:${Buffer.from(bytes).toString('hex').toUpperCase()}`);
}

/** A length from the whole range of a field, its ends more often than chance would have them. */
function lengthOf(spec: FieldSpec): fc.Arbitrary<number> {
  if (spec.form === 'fixed') return fc.constant(spec.max);
  return fc.oneof(
    fc.constantFrom(0, 1, 2, spec.max - 1, spec.max),
    fc.integer({ min: 0, max: Math.min(spec.max, 40) }),
  );
}

/** A canonical value of the field: what unpack gives back. */
export function fieldValue(spec: FieldSpec): fc.Arbitrary<string> {
  return lengthOf(spec).chain((length) => {
    switch (spec.type) {
      case 'n':
        return text(digit, length, length);
      case 'x+n':
        return fc.tuple(fc.constantFrom('C', 'D'), text(digit, length - 1, length - 1)).map((parts) => parts.join(''));
      case 'z':
        return fc
          .tuple(text(digit, length, length), fc.nat())
          .map(([digits, at]) =>
            length < 2
              ? digits
              : `${digits.slice(0, 1 + (at % (length - 1)))}=${digits.slice(2 + (at % (length - 1)))}`,
          );
      case 'b':
        return hex(length, length);
      default:
        return fc.oneof(text(printable, length, length), text(anyByte, length, length));
    }
  });
}

const mti = fc.constantFrom('0100', '0101', '0110', '0120', '0400', '0421', '0800', '0000', '9999');

/** Up to sixteen fields of any kind; long ones never so many that a message exceeds its maximum. */
export const anyMessage: fc.Arbitrary<Fields> = fc
  .tuple(mti, fc.uniqueArray(fc.constantFrom(...fieldSpecs.map((spec) => spec.field)), { maxLength: 16 }))
  .chain(([type, fields]) => {
    let long = 0;
    const kept = fields.filter((field) => fieldSpec(field)!.max <= 120 || ++long <= 2);
    return fc
      .tuple(...kept.map((field) => fieldValue(fieldSpec(field)!)))
      .map(
        (values) => Object.fromEntries([['0', type], ...kept.map((field, i) => [String(field), values[i]!])]) as Fields,
      );
  });

/** A message as an acquirer sends it. */
export const purchase: Fields = {
  0: '0100',
  2: '9999990000000007',
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
  35: '9999990000000007=30121010000012345',
  37: '326514180507',
  41: 'TERM0001',
  42: 'ACCEPTOR0000001',
  43: 'CORNER SHOP            SAO PAULO     BRA',
  48: '2001E61011',
  49: '986',
  52: 'hex:0011223344556677',
  55: 'hex:9F2608A1B2C3D4E5F607089F270180',
  63: '326514180507001',
};
