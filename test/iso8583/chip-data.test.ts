/** DE55 as BER-TLV: what is found, and what is refused. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChipData } from '#src/iso8583/chip-data.js';

const chip = new ChipData();
const read = (hex: string): boolean => {
  const bytes = Buffer.from(`AA${hex}BB`, 'hex');
  return chip.read(bytes, 1, bytes.length - 2);
};
const hexOf = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : Buffer.from(value).toString('hex').toUpperCase();

describe('chip data', () => {
  it('finds the tags where they lie, in any order, past what it does not know', () => {
    expect(read('9F36020124DFEE0102CAFE82023C009F2608A1B2C3D4E5F60708E003800155')).toBe(true);
    expect(hexOf(chip.value('9F36'))).toBe('0124');
    expect(hexOf(chip.value('82'))).toBe('3C00');
    expect(hexOf(chip.value('9F26'))).toBe('A1B2C3D4E5F60708');
    expect([chip.has('9F36'), chip.has('9F10'), chip.value('9F10')]).toEqual([true, false, undefined]);
  });

  it('takes long lengths, zeros between tags, and nothing at all', () => {
    expect(read('008202 3C00 0000 9F3681020124 9F1082000106'.replaceAll(' ', ''))).toBe(true);
    expect([hexOf(chip.value('9F36')), hexOf(chip.value('9F10'))]).toEqual(['0124', '06']);
    expect(read('')).toBe(true);
    expect(chip.has('9F36')).toBe(false);
  });

  it.each([
    ['a tag without its second byte', '9F'],
    ['a tag of four bytes', 'DF81818101AA'],
    ['a tag without a length', '9F36'],
    ['a length without its bytes', '9F3682'],
    ['an indefinite length', '9F36800124'],
    ['a length of three bytes', '9F36830000020124'],
    ['a value that ends behind the field', '9F360201'],
    ['a tag of another length than EMV gives it', '9F36030001240'.padEnd(14, '0')],
    ['an empty cryptogram', '9F2600'],
    ['a tag twice', '9F360201249F36020125'],
  ])('%s is malformed, and no tag is left', (_what, hex) => {
    expect(read('9F36020124')).toBe(true);
    expect(read(hex)).toBe(false);
    expect(chip.has('9F36')).toBe(false);
  });

  it('never reads outside its field, whatever is in it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 255 }), (field) => {
        const alone = chip.read(field, 0, field.length);
        const found = hexOf(chip.value('9F36'));
        const within = new Uint8Array(field.length + 64).fill(0x9f);
        within.set(field, 32);
        expect(chip.read(within, 32, field.length)).toBe(alone);
        expect(hexOf(chip.value('9F36'))).toBe(found);
      }),
      { numRuns: 500 },
    );
  });
});
